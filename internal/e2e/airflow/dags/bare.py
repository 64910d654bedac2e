# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""A DAG that runs nothing, so that the only spans of its runs are those of Airflow."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Param, dag


@dag(schedule=None, params={"traceparent": Param("", type="string", maxLength=55), "waybill": Param("", type="string")})
def bare():
    """Do nothing."""
    EmptyOperator(task_id="nothing")


bare()
