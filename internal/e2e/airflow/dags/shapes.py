# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""A DAG whose tasks are retried, queued, mapped in a group, and commands."""

from datetime import timedelta
from typing import Any

import waybill_receiver
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task, task_group
from spans import tracer

KEYS = ("traceparent", "tracestate", "baggage", "waybill")


@dag(schedule=None)
def shapes():
    """Continue a flow in tasks of each shape."""

    @task(retries=1, retry_delay=timedelta(0))
    def retried(dag_run: Any = None, ti: Any = None) -> None:
        """Fail once."""
        with waybill_receiver.start_job(tracer(), f"attempt {ti.try_number}", dag_run.conf):
            if ti.try_number == 1:
                raise ValueError("the first attempt fails")

    @task
    def queued(dag_run: Any = None) -> None:
        """Begin a trace with a link."""
        with waybill_receiver.start_job(tracer(), "queued", dag_run.conf, link=True):
            pass

    @task_group
    def regions(region: str) -> None:
        """Write the report of a region."""

        @task
        def write(region: str, dag_run: Any = None, ti: Any = None) -> None:
            with waybill_receiver.start_job(tracer(), f"region {region}", dag_run.conf) as span:
                span.set_attribute("test.index", ti.map_index)

        write(region)

    retried()
    queued()
    regions.expand(region=["Chile", "Japan"])
    BashOperator(
        task_id="command",
        bash_command="waybill exec --name command -- printenv BAGGAGE",
        env={key.upper(): "{{ (dag_run.conf or {}).get('" + key + "', '') }}" for key in KEYS},
        append_env=True,
    )
    BashOperator(task_id="leak", bash_command="waybill exec --name leak -- true")


shapes()
