# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""A DAG with a task that continues the flow of whoever triggers a run."""

from typing import Any

import waybill_receiver
from airflow.sdk import Param, dag, task
from opentelemetry import baggage
from spans import tracer


@dag(schedule=None, params={"day": Param("mon", type="string")})
def report():
    """Write a report of a day."""

    @task
    def write(dag_run: Any = None, params: Any = None) -> dict[str, Any]:
        """Return what a test looks at: what the task got, and what it passes on."""
        name = f"report of {params['day']}"
        with waybill_receiver.start_job(tracer(), name, dag_run.conf or {}, baggage=["tenant"]) as span:
            span.set_attribute("test.tenant", str(baggage.get_baggage("tenant")))
            return {"conf": dag_run.conf, "params": dict(params), "context": waybill_receiver.inject()}

    write()


report()
