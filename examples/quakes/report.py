# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""The service report in Python: a run of a Databricks job, as report.go is.

    report.py --batch=NAME --traceparent=VALUE --waybill=VALUE

The demo starts it with the parameters of the run, if the interpreter has all that is imported
here; report.py --check tries that.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

if sys.version_info < (3, 9):
    sys.exit("Python 3.9 or newer is needed")


def on_signal(handler: Any) -> None:
    """Let handler handle the signals that end a service."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


on_signal(lambda *_: sys.exit(0))  # The imports take a while.

import os  # noqa: E402
import platform  # noqa: E402

import waybill_receiver  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from pymongo.errors import PyMongoError  # noqa: E402
from service import Service, Stage, end_with_supervisor  # noqa: E402

PATIENCE = 5000  # Milliseconds in which a server must answer.


def main(args: list[str]) -> int:
    if args == ["--check"]:
        print("Python", platform.python_version())
        return 0
    on_signal(signal.default_int_handler)  # Raises KeyboardInterrupt.
    end_with_supervisor()
    parameters = {key: value for key, _, value in (arg[2:].partition("=") for arg in args)}
    try:
        with Service("report") as service:
            try:
                report(service, parameters)
            finally:
                on_signal(signal.SIG_IGN)  # What is left is short.
    except KeyboardInterrupt:
        pass  # It was told to end.
    except (LookupError, OSError, PyMongoError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    return 0


def report(service: Service, parameters: dict[str, str]) -> None:
    """Continue the flow of the run, and write the report of its batch."""
    batch = parameters.get("batch", "")
    attributes = {"etl.pipeline": "report", "etl.parameter.batch": batch}
    service.waybill = waybill_receiver.read(parameters).waybill
    with service.measured("report"), waybill_receiver.start_job(
        service.tracer, "report", parameters, attributes=attributes
    ), service.stage("report", "write", source="assessments") as stage:
        write_report(service, stage, batch)


def write_report(service: Service, stage: Stage, batch: str) -> None:
    client: MongoClient[dict[str, Any]] = MongoClient(os.environ["QUAKES_MONGO"], serverSelectionTimeoutMS=PATIENCE)
    with client:
        found = client[os.environ["QUAKES_DATABASE"]]["assessments"].find_one({"_id": batch})
    if found is None:
        raise LookupError(f'the assessment of the batch "{batch}": there is none')
    regions = found["regions"] or []
    stage.read(len(regions))

    text = f"# Strong earthquakes by region\n\nBatch {batch}\n\n| Region | Quakes | Strongest | Where |\n|---|--:|--:|---|\n"
    for r in regions:
        text += f"| {r['name']} | {r['quakes']} | {r['strongest']:.1f} | {r['place']} |\n"
    name = batch + ".md"
    with open(os.path.join(os.environ["QUAKES_REPORTS"], name), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    stage.wrote(len(regions))
    service.log.info("written", {"report": name, "regions": len(regions)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
