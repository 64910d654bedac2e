# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""Tests of waybill_receiver with the real SDK: python -m pytest python."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import waybill_receiver as receiver
from opentelemetry import _logs, baggage, metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-11112222333344445555666677778888-1111222233334444-01"


def waybill(age: timedelta = timedelta()) -> str:
    at = time.time_ns() // 1000 - int(age.total_seconds() * 1e6)
    return str(receiver.Waybill(at, at, 1))


class Spans:
    """A tracer, and the spans that it has ended."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")

    def one(self) -> ReadableSpan:
        (span,) = self.exporter.get_finished_spans()
        return span


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ({}, "absent"),
        ([], "absent"),
        ({"traceparent": PARENT}, "ok"),
        ({"traceparent": ""}, "absent"),
        ({"traceparent": PARENT.upper()}, "malformed"),
        ({"traceparent": "00-zz"}, "malformed"),
        ({"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"}, "malformed"),
        ({"traceparent": PARENT[:-3]}, "malformed"),
        ({"traceparent": 7}, "absent"),
        ({"traceparent": None}, "absent"),
        ({"traceparent": [PARENT]}, "absent"),
        ({"traceparent": PARENT, "tracestate": "not a state"}, "ok"),
        ({"TRACEPARENT": PARENT, "PATH": "/bin"}, "ok"),
        ({"spark.waybill.traceparent": PARENT, "spark.app.name": "x"}, "ok"),
        ({"airflow/dagrun_parent_trace_context": {"traceparent": PARENT}}, "ok"),
        ({"airflow/dagrun_parent_trace_context": PARENT}, "ok"),
        ({"airflow/dagrun_parent_trace_context": 7}, "absent"),
        ({"airflow/dagrun_parent_trace_context": {"traceparent": 7}}, "absent"),
        ({"traceparent": PARENT, "airflow/dagrun_parent_trace_context": OTHER}, "ok"),
        (["--traceparent=" + PARENT], "ok"),
        (["--traceparent", PARENT], "ok"),
        (["-traceparent", PARENT], "ok"),
        (["--traceparent=" + OTHER, "--traceparent=" + PARENT], "ok"),
        (["--", "--traceparent=" + PARENT], "absent"),
        (["--traceparent"], "absent"),
        (["traceparent=" + PARENT], "absent"),
        ([None, 7], "absent"),
        (PARENT, "absent"),
        (b"--traceparent", "absent"),
        (7, "absent"),
    ],
)
def test_read(source: Any, outcome: str) -> None:
    remote = receiver.read(source)
    assert remote.outcome == outcome
    if outcome == "ok":
        assert (remote.span_context.trace_id, remote.span_context.span_id) == (TRACE, SPAN)
        assert remote.span_context.is_remote


def test_read_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["program", "--traceparent=" + OTHER])
    monkeypatch.delenv("TRACEPARENT", raising=False)
    assert receiver.read().span_context.trace_id == 0x11112222333344445555666677778888
    monkeypatch.setenv("TRACEPARENT", PARENT)
    assert receiver.read().span_context.trace_id == TRACE
    monkeypatch.setenv("TRACEPARENT", "nonsense")
    assert receiver.read().span_context.trace_id == 0x11112222333344445555666677778888


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("00-0005f0a1b2c3d4-0005f0a1b2c3d5-0001", receiver.Waybill(0x5F0A1B2C3D4, 0x5F0A1B2C3D5, 1)),
        ("01-0005f0a1b2c3d4-0005f0a1b2c3d5-0001-more", receiver.Waybill(0x5F0A1B2C3D4, 0x5F0A1B2C3D5, 1)),
        ("00-0005f0a1b2c3d4-0005f0a1b2c3d5-0001-more", None),
        ("01-0005f0a1b2c3d4-0005f0a1b2c3d5-0001more", None),
        ("ff-0005f0a1b2c3d4-0005f0a1b2c3d5-0001", None),
        ("00-00000000000000-0005f0a1b2c3d5-0001", None),
        ("00-0005f0a1b2c3d4-00000000000000-0001", None),
        ("00-0005F0A1B2C3D4-0005f0a1b2c3d5-0001", None),
        ("00-0005f0a1b2c3d4-0005f0a1b2c3d5-0001\n", None),
        ("", None),
        ("x" * 1_000_000, None),
    ],
)
def test_waybill_parse(text: str, want: receiver.Waybill | None) -> None:
    assert receiver.Waybill.parse(text) == want
    if want is not None and text.startswith("00"):
        assert str(want) == text


def test_waybill_departed() -> None:
    first = receiver.Waybill(0, 0).departed(5)
    assert first == receiver.Waybill(5, 5, 1)
    assert first.departed(9) == receiver.Waybill(5, 9, 2)
    assert receiver.Waybill(5, 5, 0xFFFF).departed(9).hops == 0xFFFF


def test_take_args_leaves_the_rest_to_argparse() -> None:
    found, rest = receiver.take_args(["--day", "1", "--traceparent=" + PARENT, "--baggage", "a=b", "in.csv"])
    assert found == {"traceparent": PARENT, "baggage": "a=b"}
    parser = argparse.ArgumentParser()
    parser.add_argument("--day")
    parser.add_argument("file")
    assert vars(parser.parse_args(rest)) == {"day": "1", "file": "in.csv"}
    assert receiver.take_args(["a", "--", "--traceparent=x"]) == ({}, ["a", "--", "--traceparent=x"])


@pytest.mark.parametrize(
    ("age", "options", "child", "linked"),
    [
        (None, {}, True, True),
        (timedelta(minutes=19), {}, True, True),
        (timedelta(minutes=21), {}, False, True),
        (timedelta(minutes=21), {"max_age": None}, True, True),
        (timedelta(minutes=2), {"max_age": timedelta(minutes=1)}, False, True),
        (timedelta(), {"link": True}, False, True),
    ],
)
def test_start_job_parent_or_link(spans: Spans, age: timedelta | None, options: Any, child: bool, linked: bool) -> None:
    source = {"traceparent": PARENT, "tracestate": "a=b"}
    if age is not None:
        source["waybill"] = waybill(age)
    with receiver.start_job(spans.tracer, "report", source, **options) as started:
        assert trace.get_current_span() is started
        carried = receiver.inject()
        assert carried["traceparent"].split("-")[2] == format(started.get_span_context().span_id, "016x")
        if age is not None:
            passed = receiver.Waybill.parse(carried["waybill"])
            received = receiver.Waybill.parse(source["waybill"])
            assert passed is not None and received is not None
            assert (passed.origin, passed.hops) == (received.origin, 2)
    span = spans.one()
    assert (span.parent is not None) == child
    assert span.parent is None or span.parent.span_id == SPAN
    assert [link.context.span_id for link in span.links] == ([SPAN] if linked else [])
    assert dict(span.attributes or {}) == {
        "etl.outcome": "success",
        "process.exit.code": 0,
        "waybill.extract": "ok",
    }
    assert not trace.get_current_span().get_span_context().is_valid


def test_start_job_in_a_traced_task(spans: Spans) -> None:
    """As in Airflow: the span of the task stays the parent."""
    with spans.tracer.start_as_current_span("task") as task:
        own = {"traceparent": "00-%032x-00f067aa0ba902b7-01" % task.get_span_context().trace_id}
        with receiver.start_job(spans.tracer, "same trace", own):
            pass
        with receiver.start_job(spans.tracer, "other trace", {"traceparent": PARENT}):
            pass
        with receiver.start_job(spans.tracer, "link", {"traceparent": PARENT}, link=True):
            pass
        with receiver.start_job(spans.tracer, "no context", {}):
            pass
    same, other, link, none, parent = spans.exporter.get_finished_spans()
    for child in (same, other, none):
        assert child.parent is not None and child.parent.span_id == parent.context.span_id
    assert [len(s.links) for s in (same, other, link, none)] == [0, 1, 2, 0]
    assert link.parent is None


UNSAMPLED = trace.SpanContext(0x1111, 0x2222, is_remote=True)


@pytest.mark.parametrize(
    ("source", "parent", "links"),
    [({"traceparent": PARENT}, SPAN, [SPAN]), ({}, None, [])],
    ids=["context", "no context"],
)
def test_start_job_in_a_task_of_airflow_without_tracing(
    spans: Spans, source: Any, parent: int | None, links: list[int]
) -> None:
    """The current span is one that Airflow does not record; below it nothing is sampled."""
    with trace.use_span(trace.NonRecordingSpan(UNSAMPLED)):
        with receiver.start_job(spans.tracer, "report", source) as started:
            assert started.get_span_context().trace_flags.sampled
    span = spans.one()
    assert (span.parent and span.parent.span_id) == parent
    assert [link.context.span_id for link in span.links] == links
    assert span.context.trace_id != UNSAMPLED.trace_id


def test_start_job_links_no_unsampled_task(spans: Spans) -> None:
    with trace.use_span(trace.NonRecordingSpan(UNSAMPLED)):
        with receiver.start_job(spans.tracer, "report", {"traceparent": PARENT}, link=True):
            pass
    span = spans.one()
    assert span.parent is None
    assert [link.context.span_id for link in span.links] == [SPAN]


def test_start_job_in_a_task_that_is_not_sampled(spans: Spans) -> None:
    """The decision of this process is kept, but for a flow that is sampled."""
    task = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")
    with task.start_as_current_span("task"):
        with receiver.start_job(spans.tracer, "no context", {}):
            pass
        assert not spans.exporter.get_finished_spans()
        with receiver.start_job(spans.tracer, "report", {"traceparent": PARENT}):
            pass
    span = spans.one()
    assert span.parent is not None and span.parent.span_id == SPAN


def test_start_job_links_the_creator_of_a_cron_job(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["program"])
    monkeypatch.delenv("TRACEPARENT", raising=False)
    monkeypatch.setenv("WAYBILL_CREATOR", OTHER)
    with receiver.start_job(spans.tracer, "run"):
        pass
    span = spans.one()
    assert span.parent is None
    assert [link.context.span_id for link in span.links] == [0x1111222233334444]


@pytest.mark.parametrize(
    ("error", "outcome", "kind", "code"),
    [
        (ValueError("secret"), "failure", "ValueError", 1),
        (SystemExit(3), "failure", "SystemExit", 3),
        (SystemExit("text"), "failure", "SystemExit", 1),
        (SystemExit(0), "success", None, 0),
        (SystemExit(None), "success", None, 0),
        (SystemExit(143), "cancelled", "canceled", 143),
        (SystemExit(137), "failure", "SystemExit", 137),
        (KeyboardInterrupt(), "cancelled", "canceled", 130),
        (asyncio.CancelledError(), "cancelled", "canceled", 1),
        (TimeoutError(), "timeout", "timeout", 1),
        (subprocess.CalledProcessError(1, "x"), "failure", "subprocess.CalledProcessError", 1),
    ],
)
def test_start_job_ends(spans: Spans, error: BaseException, outcome: str, kind: str | None, code: int) -> None:
    with pytest.raises(type(error)) as raised, receiver.start_job(spans.tracer, "report", {}):
        raise error
    assert raised.value is error
    span = spans.one()
    attributes = dict(span.attributes or {})
    assert (attributes["etl.outcome"], attributes.get("error.type"), attributes["process.exit.code"]) == (outcome, kind, code)
    assert span.status.is_ok == (outcome in ("success", "cancelled"))
    assert "secret" not in span.to_json()


def test_a_malformed_context_is_one_warning(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "waybill_receiver")
    with receiver.start_job(spans.tracer, "report", {"traceparent": "x" * 1_000_000}):
        pass
    with receiver.start_job(spans.tracer, "report", {}):
        pass
    (record,) = caplog.records
    assert record.levelname == "WARNING" and len(record.getMessage()) < 200
    assert [s.parent for s in spans.exporter.get_finished_spans()] == [None, None]


def test_baggage_only_by_key(spans: Spans) -> None:
    source = {"traceparent": PARENT, "baggage": "tenant=blue,user=mary"}
    with receiver.start_job(spans.tracer, "report", source):
        assert baggage.get_all() == {}
    with receiver.start_job(spans.tracer, "report", source, baggage=["tenant"]):
        assert baggage.get_all() == {"tenant": "blue"}
        assert "baggage" not in receiver.inject()
    assert baggage.get_all(receiver.extract(source, Context())) == {}


def test_inject_replaces(spans: Spans) -> None:
    old = {"traceparent": OTHER, "tracestate": "a=b", "Waybill": waybill(), "baggage": "x=y", "day": "1"}
    with receiver.start_job(spans.tracer, "report", {}) as span:
        carrier = receiver.inject(old)
    assert carrier is old
    assert set(carrier) == {"traceparent", "waybill", "day"}
    assert carrier["traceparent"].split("-")[1] == format(span.get_span_context().trace_id, "032x")
    assert receiver.inject({"traceparent": OTHER}, Context()) == {}


def test_without_an_sdk_the_context_is_passed_on() -> None:
    tracer = trace.NoOpTracerProvider().get_tracer("none")
    with receiver.start_job(tracer, "report", {"traceparent": PARENT, "waybill": waybill()}):
        assert receiver.inject()["traceparent"] == PARENT
        assert receiver.Waybill.parse(receiver.inject()["waybill"]) is not None


def test_propagator_composes(spans: Spans) -> None:
    both = CompositePropagator([TraceContextTextMapPropagator(), receiver.WaybillPropagator()])
    sent = waybill()
    context = both.extract({"traceparent": PARENT, "waybill": sent}, Context())
    carrier: dict[str, str] = {}
    both.inject(carrier, context)
    received, passed = receiver.Waybill.parse(sent), receiver.Waybill.parse(carrier["waybill"])
    assert received is not None and passed is not None
    assert (passed.origin, passed.hops) == (received.origin, received.hops + 1)
    assert both.fields == {"traceparent", "tracestate", "waybill"}
    assert receiver.WaybillPropagator().extract({"waybill": "nonsense"}, Context()) == Context()
    empty: dict[str, str] = {}
    receiver.WaybillPropagator().inject(empty, Context())
    assert empty == {}


def test_threads_do_not_share(spans: Spans) -> None:
    wrong: list[str] = []

    def work(n: int) -> None:
        parent = f"00-{n:032x}-{n:016x}-01"
        for _ in range(100):
            with receiver.start_job(spans.tracer, "report", {"traceparent": parent}):
                if receiver.inject()["traceparent"].split("-")[1] != parent.split("-")[1]:
                    wrong.append(parent)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_broken_flush_changes_nothing(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(trace.NoOpTracerProvider):
        def force_flush(self, timeout_millis: int) -> bool:
            raise RuntimeError("flush")

    monkeypatch.setattr(trace, "get_tracer_provider", Broken)
    with receiver.start_job(spans.tracer, "report", {}):
        pass
    assert spans.one().name == "report"


def test_a_hanging_flush_ends(
    spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK sends each batch for as long as its exporter takes, whatever the time of force_flush."""
    released = threading.Event()

    class Hanging:
        def force_flush(self, timeout_millis: int) -> None:
            released.wait()

    monkeypatch.setattr(trace, "get_tracer_provider", Hanging)
    monkeypatch.setattr(receiver, "_FLUSH_SECONDS", 0.05)
    with receiver.start_job(spans.tracer, "report", {}):
        pass
    released.set()
    assert [record.getMessage() for record in caplog.records] == [
        "the telemetry of the job was not sent within 0.05 seconds"
    ]


def test_each_provider_is_flushed(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was forked ends without the handlers that would flush them."""
    flushed: list[str] = []

    class Provider:
        def __init__(self, name: str) -> None:
            self.name = name

        def force_flush(self, timeout_millis: int) -> None:
            flushed.append(self.name)
            raise RuntimeError

    for module, getter in (
        (trace, "get_tracer_provider"),
        (metrics, "get_meter_provider"),
        (_logs, "get_logger_provider"),
    ):
        monkeypatch.setattr(module, getter, partial(Provider, getter))
    with receiver.start_job(spans.tracer, "report", {}):
        pass
    assert flushed == ["get_tracer_provider", "get_meter_provider", "get_logger_provider"]


def test_a_signal_is_on_the_span(spans: Spans) -> None:
    with pytest.raises(SystemExit), receiver.start_job(spans.tracer, "report", {}):
        sys.exit(128 + signal.SIGTERM)
    assert dict(spans.one().attributes or {})["waybill.job.signal"] == "SIGTERM"


def test_whole_program(tmp_path: Path) -> None:
    """A process that gets its context in its environment, and exits with a code."""
    program = (
        "import waybill_receiver\nfrom opentelemetry import trace\n"
        "with waybill_receiver.start_job(trace.get_tracer('t'), 'job'):\n"
        "    print(waybill_receiver.inject()['traceparent'])\n    raise SystemExit(7)\n"
    )
    environ = {**os.environ, "TRACEPARENT": PARENT, "PYTHONPATH": str(Path(receiver.__file__).parent)}
    done = subprocess.run([sys.executable, "-c", program], env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (7, PARENT, "")


def test_plain_opentelemetry_reads_what_it_writes() -> None:
    """A document that this file marks is read by those who do not have it, and the other way."""
    document = receiver.inject({}, receiver.extract({"traceparent": PARENT}, Context()))
    assert trace.get_current_span(propagate.extract(document)).get_span_context().trace_id == TRACE
    theirs: dict[str, str] = {}
    propagate.inject(theirs, receiver.extract({"traceparent": PARENT}, Context()))
    assert receiver.read(theirs).span_context.trace_id == TRACE
