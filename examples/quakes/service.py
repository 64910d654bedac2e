# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""What a service of the demo in Python needs, as service.go has it for those in Go.

Its spans, metrics and logs have the names of the packages stages and metrics, so that they are
in the same flow, the same table and the same queries.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Optional

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, pushadd_to_gateway
from waybill_receiver import Waybill

PUSH_INTERVAL = 0.2  # Seconds between two pushes of the metrics.
PUSH_TIMEOUT = 5  # Seconds.
BUCKETS = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600)  # Those of package metrics.


class Service:
    """The telemetry of a process. It is exported when a with statement ends."""

    def __init__(self, name: str) -> None:
        self.name, self.instance = name, os.environ["QUAKES_INSTANCE"]
        self.log = _logger(name)
        self.waybill: Optional[Waybill] = None  # Of the data that the process handles.

        provider = TracerProvider(
            resource=Resource.create({"service.name": name, "service.instance.id": self.instance})
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
        self.tracer = trace.get_tracer(name)

        self._registry = CollectorRegistry()
        rows, runs = ["pipeline", "source", "stage"], ["pipeline", "stage"]
        self.rows_read = self._counter("rows_read", "Rows that came into a stage.", rows)
        self.rows_written = self._counter("rows_processed", "Rows that came out of a stage well.", rows)
        self._errors = self._counter(
            "errors", "Runs of a stage that ended with a failure, a timeout or a panic.", [*runs, "error_type"]
        )
        self._in_flight = self._gauge("in_flight", "Runs of a stage that have not ended.", runs)
        self._last_run = self._gauge("last_run_timestamp_seconds", "Unix time at which a run of a stage last ended.", runs)
        self._last_success = self._gauge(
            "last_success_timestamp_seconds", "Unix time at which a run of a stage last succeeded.", runs
        )
        self._processing = self._histogram(
            "processing_seconds", "Time that the function of a stage took, by how it ended.", [*runs, "outcome"]
        )
        self._end_to_end = self._histogram(
            "end_to_end_seconds",
            "Time since data entered the flow, when a stage is done with it or it arrives from a destination.",
            ["destination", *runs],
        )
        self._ended = threading.Event()
        self._pushing = threading.Thread(target=self._push_until_ended, daemon=True)

    def __enter__(self) -> Service:
        self._pushing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._pushing.join()  # An older push must not arrive after the last one.
        try:
            self._push()
        except Exception as error:  # noqa: BLE001 - telemetry must not change how the run ends.
            self.log.error("telemetry was lost", {"error": error})

    @contextlib.contextmanager
    def stage(self, pipeline: str, name: str, source: str) -> Iterator[Stage]:
        """Run the body of a with statement as a stage, with a span and metrics."""
        attributes = {"etl.pipeline": pipeline, "etl.stage": name, "etl.source": source}
        with self.measured(pipeline, name), self.tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            stage = Stage(self, pipeline=pipeline, source=source, stage=name)
            try:
                yield stage
            except BaseException as error:
                outcome, kind = _outcome(error)
                span.set_attributes({"etl.outcome": outcome, "error.type": kind})
                if outcome == "failure":
                    span.set_status(trace.StatusCode.ERROR, kind)
                raise
            else:
                span.set_attribute("etl.outcome", "success")
            finally:
                span.set_attributes({key: rows for key, rows in stage.rows.items() if rows})

    @contextlib.contextmanager
    def measured(self, pipeline: str, stage: str = "") -> Iterator[None]:
        """Measure the body of a with statement: a stage, or without one the whole pipeline."""
        labels, outcome, started = {"pipeline": pipeline, "stage": stage}, "success", time.monotonic()
        self._in_flight.labels(**labels).inc()
        try:
            yield
        except BaseException as error:
            outcome, kind = _outcome(error)
            if outcome == "failure":
                self._errors.labels(**labels, error_type=kind).inc()
            raise
        finally:
            self._processing.labels(**labels, outcome=outcome).observe(time.monotonic() - started)
            self._in_flight.labels(**labels).dec()
            self._last_run.labels(**labels).set_to_current_time()
            if outcome == "success":
                self._last_success.labels(**labels).set_to_current_time()
                if self.waybill is not None:
                    age = max(time.time() - self.waybill.origin / 1e6, 0)
                    self._end_to_end.labels(**labels, destination="").observe(age)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter("etl_" + name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, labels: list[str]) -> Gauge:
        return Gauge("etl_" + name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, labels: list[str]) -> Histogram:
        return Histogram("etl_" + name, text, labels, registry=self._registry, buckets=BUCKETS)

    def _push_until_ended(self) -> None:
        """Push the metrics now and then, which shows that the process does not hang."""
        while not self._ended.wait(PUSH_INTERVAL):
            with contextlib.suppress(Exception):  # The next push has the same metrics.
                self._push()

    def _push(self) -> None:
        pushadd_to_gateway(
            os.environ["QUAKES_PUSHGATEWAY"], self.name, self._registry, {"process": self.instance}, PUSH_TIMEOUT
        )


class Stage:
    """One run of a stage, which counts its rows."""

    def __init__(self, service: Service, **labels: str) -> None:
        self._service, self._labels = service, labels
        self.rows = {"etl.rows.read": 0, "etl.rows.written": 0}

    def read(self, rows: int) -> None:
        self.rows["etl.rows.read"] += rows
        self._service.rows_read.labels(**self._labels).inc(rows)

    def wrote(self, rows: int) -> None:
        self.rows["etl.rows.written"] += rows
        self._service.rows_written.labels(**self._labels).inc(rows)


def end_with_supervisor() -> None:
    """Interrupt this process when its standard input closes, because the demo has gone."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        _thread.interrupt_main()

    if os.environ.get("QUAKES_SUPERVISED"):
        threading.Thread(target=wait, daemon=True).start()


def _outcome(error: BaseException) -> tuple[str, str]:
    """Return how a run ended with error, and the type of the error."""
    if isinstance(error, KeyboardInterrupt):
        return "cancelled", "canceled"
    kind = type(error)
    return "failure", kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _logger(name: str) -> logging.Logger:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    return logging.getLogger(name)


class _TextFormatter(logging.Formatter):
    """Formats records as slog.TextHandler and stages.NewLogHandler do, with the current span."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": "WARN" if record.levelno == logging.WARNING else record.levelname,
            "msg": record.getMessage(),
        }
        if isinstance(record.args, dict):
            fields.update(record.args)
        span = trace.get_current_span()
        context = span.get_span_context()
        if context.is_valid:
            fields["trace_id"] = trace.format_trace_id(context.trace_id)
            fields["span_id"] = trace.format_span_id(context.span_id)
            fields["trace_flags"] = f"{context.trace_flags:02x}"
        attributes = getattr(span, "attributes", None) or {}
        for key in ("pipeline", "stage"):
            if f"etl.{key}" in attributes:
                fields[key] = attributes[f"etl.{key}"]
        return " ".join(f"{key}={_quoted(str(value))}" for key, value in fields.items())


def _quoted(text: str) -> str:
    plain = text and text.isprintable() and not any(c in text for c in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)
