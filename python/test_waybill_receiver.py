# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""Tests of waybill_receiver with the real SDK: python -m pytest python."""

from __future__ import annotations

import argparse
import ast
import asyncio
import concurrent.futures
import doctest
import importlib.util
import io
import logging
import multiprocessing
import os
import random
import re
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Generator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import waybill_receiver as receiver
from opentelemetry import baggage, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator, default_getter, default_setter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    DEFAULT_OFF,
    DEFAULT_ON,
    ParentBased,
    TraceIdRatioBased,
)
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
        ({"traceparent": 7}, "malformed"),
        ({"traceparent": None}, "absent"),
        ({"traceparent": [PARENT]}, "malformed"),
        ({"traceparent": PARENT.encode()}, "malformed"),
        ({"traceparent": PARENT + "\0"}, "malformed"),
        ({"traceparent": PARENT + "\ud800"}, "malformed"),
        ({"traceparent": PARENT * 10_000}, "malformed"),
        ({"traceparent": "ff" + PARENT[2:]}, "malformed"),
        ({"traceparent": "cc" + PARENT[2:] + "-what-comes"}, "ok"),
        ({"traceparent": PARENT + "-more"}, "malformed"),
        ({"traceparent": "nonsense", "TRACEPARENT": PARENT}, "ok"),
        ({"traceparent": PARENT, "TRACEPARENT": OTHER}, "ok"),
        ({7: PARENT, b"traceparent": PARENT, None: PARENT, ("a", "b"): 1}, "absent"),
        ({**{f"key{n}": "x" for n in range(10_000)}, "traceparent": PARENT}, "ok"),
        ({"traceparent": PARENT, "waybill": b"\xff", "tracestate": 7, "baggage": {}}, "ok"),
        ({"traceparent": PARENT, "tracestate": "not a state"}, "ok"),
        ({"TRACEPARENT": PARENT, "PATH": "/bin"}, "ok"),
        ({"spark.waybill.traceparent": PARENT, "spark.app.name": "x"}, "ok"),
        ({"airflow/dagrun_parent_trace_context": {"traceparent": PARENT}}, "ok"),
        ({"airflow/dagrun_parent_trace_context": PARENT}, "ok"),
        ({"airflow/dagrun_parent_trace_context": 7}, "absent"),
        ({"airflow/dagrun_parent_trace_context": {"traceparent": 7}}, "malformed"),
        ({"airflow/dagrun_parent_trace_context": {}}, "absent"),
        ({"traceparent": PARENT, "airflow/dagrun_parent_trace_context": OTHER}, "ok"),
        (["--traceparent=" + PARENT], "ok"),
        (["--traceparent", PARENT], "ok"),
        (["-traceparent", PARENT], "ok"),
        (["--traceparent=" + OTHER, "--traceparent=" + PARENT], "ok"),
        (["--", "--traceparent=" + PARENT], "absent"),
        (["--traceparent"], "absent"),
        (["traceparent=" + PARENT], "absent"),
        ([None, 7], "absent"),
        ([("spark.app.name", "x"), ("spark.waybill.traceparent", PARENT)], "ok"),
        ([(b"traceparent", PARENT), ([], PARENT), ("traceparent",)], "absent"),
    ],
)
def test_read(source: Any, outcome: str) -> None:
    remote = receiver.read(source)
    assert remote.outcome == outcome
    if outcome == "ok":
        assert (remote.span_context.trace_id, remote.span_context.span_id) == (TRACE, SPAN)
        assert remote.span_context.is_remote


@pytest.mark.parametrize(
    "source",
    [
        PARENT,
        PARENT.encode(),
        bytearray(),
        7,
        argparse.Namespace(traceparent=PARENT),
        io.StringIO(PARENT),
        {PARENT},
        iter([("traceparent", PARENT)]),
    ],
    ids=lambda source: type(source).__name__,
)
def test_read_of_a_wrong_type_is_one_warning(source: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert receiver.read(source).outcome == "absent"
    (record,) = caplog.records
    assert record.levelname == "WARNING" and f"cannot be in a {type(source).__name__}," in record.getMessage()
    assert "a mapping such as vars(options), a list of pairs, or a list of arguments" in record.getMessage()


class Widgets(Mapping[str, Any]):
    """A mapping that raises exceptions of its own for what it does not have."""

    def __init__(self, **values: str) -> None:
        self.values_ = values

    def __getitem__(self, key: str) -> str:
        if key not in self.values_:
            raise RuntimeError("no widget " + key)
        return self.values_[key]

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no iteration")

    def __len__(self) -> int:
        raise RuntimeError("no length")


def test_read_of_a_mapping_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    assert receiver.read(Widgets()).outcome == "absent"
    assert receiver.read(Widgets(traceparent=PARENT)).span_context.span_id == SPAN
    assert not caplog.records


@pytest.mark.parametrize(
    ("state", "want"),
    [
        ("", {}),
        ("a=b, c=d ,,e=f", {"a": "b", "c": "d", "e": "f"}),
        (",".join(f"k{n}=v" for n in range(32)), {f"k{n}": "v" for n in range(32)}),
        (",".join(f"k{n}=v" for n in range(33)), {}),
        (",".join(f"k{n}=v" for n in range(10_000)), {}),
        (",".join(f"k{n}={'v' * 200}" for n in range(4)), {f"k{n}": "v" * 200 for n in range(4)}),
        (",".join(f"k{n}={'v' * 256}" for n in range(32)), {}),
        ("a=" + "x" * 600, {}),
        ("a=b,bad key=1", {}),
        ("a=b,c", {}),
        ("a=\x00", {}),
        ("a=\u00e9", {}),
        ("a=\ud800", {}),
    ],
)
def test_read_takes_a_whole_tracestate_or_none(state: str, want: Any, caplog: pytest.LogCaptureFixture) -> None:
    remote = receiver.read({"traceparent": PARENT, "tracestate": state})
    assert remote.span_context.span_id == SPAN
    assert dict(remote.span_context.trace_state) == want
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("user=mary,tenant=blue", {"tenant": "blue"}),
        (" tenant = light%20blue ;p=1 ,%", {"tenant": "light blue"}),
        ("tenant", {}),
        ("tenant=\ud800", {}),
        ("tenant=\u00e9", {}),
        ("secret=" + "x" * 10_000 + ",tenant=blue", {}),
        (",".join(f"secret{n}=x" for n in range(200)) + ",tenant=blue", {"tenant": "blue"}),
        ("secret,=,tenant=blue", {"tenant": "blue"}),
    ],
)
def test_read_of_baggage(text: str, want: Any, caplog: pytest.LogCaptureFixture) -> None:
    for keys in ("tenant", ["tenant", "other"]):
        remote = receiver.read({"traceparent": PARENT, "baggage": text}, baggage=keys)
        assert remote.outcome == "ok"
        assert remote.baggage == want
    assert "secret" not in caplog.text


def test_read_of_airflow_takes_the_waybill_beside() -> None:
    conf = {"airflow/dagrun_parent_trace_context": {"traceparent": PARENT}, "waybill": waybill(), "baggage": "a=b"}
    remote = receiver.read(conf, baggage="a")
    assert (str(remote.waybill), remote.baggage) == (conf["waybill"], {"a": "b"})


def test_read_never_mixes_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the Go side does: a tracestate belongs to the traceparent beside it."""
    monkeypatch.setattr(sys, "argv", ["program", "--tracestate=c=d"])
    for name, value in {"TRACEPARENT": PARENT, "traceparent": OTHER, "tracestate": "a=b"}.items():
        monkeypatch.setenv(name, value)
    for remote in (receiver.read(), receiver.read(os.environ)):
        assert (remote.span_context.span_id, dict(remote.span_context.trace_state)) == (SPAN, {})
    assert receiver.read(dict(os.environ)).span_context.trace_state.get("a") == "b"


def test_read_of_anything(caplog: pytest.LogCaptureFixture) -> None:
    """Values that are nearly right, from a fixed seed: none raises, and none is logged by OpenTelemetry."""
    chance = random.Random(12)
    valid = {"traceparent": PARENT, "tracestate": "a=b,c@d=e", "baggage": "tenant=blue;p=1", "waybill": waybill()}

    def changed(text: str) -> str:
        at, cut = chance.randrange(len(text) + 1), chance.randrange(3)
        new = "".join(chance.choices("-=,;%@0aFz \t\n\0\u00e9\u0660\ud800", k=chance.randrange(4)))
        return text[:at] + new + text[at + cut :]

    outcomes = set()
    for _ in range(5000):
        fields = {key: changed(value) if chance.random() < 0.5 else value for key, value in valid.items()}
        remote = receiver.read(fields, baggage="tenant")
        outcomes.add(remote.outcome)
        carried = receiver.inject({}, remote.context(Context()))
        if remote.outcome == "ok":
            assert receiver.read(carried).span_context == remote.span_context
        assert set(remote.baggage) <= {"tenant"}
    assert outcomes == {"ok", "malformed"}
    # set_baggage of old versions says which values it does not take.
    assert not [record for record in caplog.records if record.name != "opentelemetry.baggage"]


class Ids(TextMapPropagator):
    """A propagator of two numbers, as those of B3 and of Datadog are."""

    fields = {"x-ids"}

    def extract(self, carrier: Any, context: Any = None, getter: Any = default_getter) -> Context:
        values = getter.get(carrier, "x-ids")
        if not values:
            return context or Context()
        trace_id, span_id = (int(n, 16) for n in values[0].split(":"))
        span_context = trace.SpanContext(trace_id, span_id, is_remote=True)
        return trace.set_span_in_context(trace.NonRecordingSpan(span_context), context)

    def inject(self, carrier: Any, context: Any = None, setter: Any = default_setter) -> None:
        span_context = trace.get_current_span(context).get_span_context()
        setter.set(carrier, "x-ids", f"{span_context.trace_id:x}:{span_context.span_id:x}")


class BrokenPropagator(TextMapPropagator):
    extract = inject = fields = property(lambda self: 1 / 0)


@pytest.fixture
def set_propagator() -> Iterator[Any]:
    before = propagate.get_global_textmap()
    yield propagate.set_global_textmap
    propagate.set_global_textmap(before)


IDS = {"x-ids": f"{TRACE:x}:{SPAN:x}"}


@pytest.mark.parametrize(
    ("source", "without"),
    [
        (IDS, "absent"),
        ({"X_IDS": IDS["x-ids"]}, "absent"),
        (["--x-ids", IDS["x-ids"]], "absent"),
        ({**IDS, "traceparent": "nonsense"}, "malformed"),
        ({"traceparent": PARENT}, "ok"),
        ({"traceparent": PARENT, "x-ids": "nonsense"}, "ok"),
    ],
)
def test_read_with_the_global_propagator(source: Any, without: str, set_propagator: Any) -> None:
    assert receiver.read(source).outcome == without
    set_propagator(Ids())
    assert receiver.read(source).span_context.span_id == SPAN


def test_read_prefers_the_global_propagator(set_propagator: Any) -> None:
    set_propagator(Ids())
    assert receiver.read({**IDS, "traceparent": OTHER}).span_context.span_id == SPAN


def test_inject_with_the_global_propagator(set_propagator: Any) -> None:
    set_propagator(CompositePropagator([Ids(), receiver.WaybillPropagator()]))
    context = receiver.extract({**IDS, "waybill": waybill()}, Context())
    carrier = receiver.inject({"X-Ids": "old", "day": "1"}, context)
    assert set(carrier) == {"x-ids", "traceparent", "waybill", "day"}
    assert (carrier["x-ids"], carrier["waybill"][-4:]) == (IDS["x-ids"], "0002")
    assert set(receiver.child_environ({"X_IDS": "old"}, context)) == {"X_IDS", "TRACEPARENT", "WAYBILL"}


@pytest.mark.parametrize("propagator", [BrokenPropagator(), CompositePropagator([]), None], ids=type)
def test_a_propagator_of_no_use_changes_nothing(propagator: Any, set_propagator: Any) -> None:
    set_propagator(propagator)
    context = receiver.extract({"traceparent": PARENT}, Context())
    assert receiver.inject({"traceparent": OTHER}, context)["traceparent"] == PARENT
    assert receiver.take_args(["--traceparent", PARENT, "x"]) == ({"traceparent": PARENT}, ["x"])


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
    assert receiver.take_args(["--traceparent", "--", "--traceparent=x"]) == ({}, ["--", "--traceparent=x"])
    assert receiver.take_args(["--traceparent", "--day", "1"]) == ({}, ["--day", "1"])


@pytest.mark.parametrize(
    ("age", "options", "child", "linked"),
    [
        (None, {}, True, True),
        (timedelta(minutes=19), {}, True, True),
        (timedelta(minutes=21), {}, False, True),
        (timedelta(minutes=21), {"max_age": None}, True, True),
        (timedelta(minutes=2), {"max_age": timedelta(minutes=1)}, False, True),
        (timedelta(minutes=-21), {}, True, True),
        (timedelta(days=365 * 50), {}, False, True),
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


class NotebookExit(Exception):
    """As dbutils.notebook.exit raises it."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def groups() -> list[tuple[BaseException, str, str | None, int]]:
    """Groups of exceptions, where Python has them."""
    if sys.version_info < (3, 11):
        return []
    late, ended = TimeoutError(), asyncio.CancelledError()
    return [
        (ExceptionGroup("tasks", [ValueError()]), "failure", "ExceptionGroup", 1),
        (ExceptionGroup("tasks", [late, ExceptionGroup("more", [late])]), "timeout", "timeout", 1),
        (BaseExceptionGroup("tasks", [ended, ended]), "cancelled", "canceled", 1),
        (BaseExceptionGroup("tasks", [ended, ValueError()]), "failure", "BaseExceptionGroup", 1),
    ]


@pytest.mark.parametrize(
    ("error", "outcome", "kind", "code"),
    [
        *groups(),
        (ValueError("secret"), "failure", "ValueError", 1),
        (Unprintable(), "failure", "test_waybill_receiver.Unprintable", 1),
        (NotebookExit("secret"), "success", None, 0),
        (type("Mine", (NotebookExit,), {})(), "success", None, 0),
        (GeneratorExit(), "success", None, 0),
        (type("TaskDeferred", (BaseException,), {})(), "success", None, 0),
        (type("AirflowTaskTimeout", (BaseException,), {})(), "timeout", "timeout", 1),
        (concurrent.futures.CancelledError(), "cancelled", "canceled", 1),
        (concurrent.futures.TimeoutError(), "timeout", "timeout", 1),
        (asyncio.TimeoutError(), "timeout", "timeout", 1),
        (SystemExit(256), "success", None, 0),
        (SystemExit(257), "failure", "SystemExit", 1),
        (SystemExit(-1), "failure", "SystemExit", 255),
        (SystemExit(True), "failure", "SystemExit", 1),
        (SystemExit(143), "cancelled", "canceled", 143),
        (SystemExit(131), "cancelled", "canceled", 131),
        (SystemExit(130), "cancelled", "canceled", 130),
        (SystemExit(129), "cancelled", "canceled", 129),
        (SystemExit(137), "failure", "SystemExit", 137),
        (SystemExit(3), "failure", "SystemExit", 3),
        (SystemExit("text"), "failure", "SystemExit", 1),
        (SystemExit(0), "success", None, 0),
        (SystemExit(None), "success", None, 0),
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
    assert (attributes["etl.outcome"], attributes["process.exit.code"]) == (outcome, code)
    assert attributes.get("error.type") == kind
    assert span.status.is_ok == (outcome in ("success", "cancelled"))
    signals = {129: "SIGHUP", 130: "SIGINT", 131: "SIGQUIT", 143: "SIGTERM"}
    assert attributes.get("waybill.job.signal") == signals.get(code)
    assert "secret" not in span.to_json()


def test_an_exception_goes_on_unchanged(spans: Spans) -> None:
    def body() -> None:
        raise ValueError

    with pytest.raises(ValueError) as raised, receiver.start_job(spans.tracer, "report", {}):
        body()
    error = raised.value
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames == ["test_an_exception_goes_on_unchanged", "body"]
    assert error.__context__ is None and error.__cause__ is None


class BrokenProcessor(SpanProcessor):
    """A processor of which one method raises."""

    def __init__(self, method: str) -> None:
        setattr(self, method, lambda *_: 1 / 0)


def broken_sdk(method: str) -> trace.Tracer:
    provider = TracerProvider()
    provider.add_span_processor(BrokenProcessor(method))
    return provider.get_tracer("test")


class BrokenSpan(trace.NonRecordingSpan):
    set_attribute = set_status = end = property(lambda self: 1 / 0)


@pytest.mark.parametrize(
    "tracer",
    [
        broken_sdk("on_start"),
        broken_sdk("on_end"),
        broken_sdk("force_flush"),
        MagicMock(),
        MagicMock(start_span=MagicMock(side_effect=RuntimeError)),
        MagicMock(start_span=lambda *_, **__: None),
        MagicMock(start_span=lambda *_, **__: BrokenSpan(trace.INVALID_SPAN_CONTEXT)),
        MagicMock(start_span=lambda *_, **__: BrokenSpan(receiver.read({"traceparent": PARENT}).span_context)),
        None,
    ],
)
def test_a_broken_sdk_does_not_change_the_job(tracer: Any) -> None:
    runs = 0
    for error in (None, ValueError(), SystemExit(1), KeyboardInterrupt()):
        try:
            with receiver.start_job(tracer, "report", {"traceparent": PARENT, "waybill": waybill()}):
                runs += 1
                assert receiver.inject().get("traceparent", PARENT)[3:35] == f"{TRACE:x}"
                if error is not None:
                    raise error
        except BaseException as raised:  # noqa: BLE001
            assert raised is error and raised.__context__ is None
        else:
            assert error is None
    assert runs == 4
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_broken_sdk_keeps_the_current_span(spans: Spans) -> None:
    with spans.tracer.start_as_current_span("task") as task:
        with receiver.start_job(None, "report", {}) as span:  # type: ignore[arg-type]
            assert span is not task  # Which it must not end.
            assert span.get_span_context() == task.get_span_context()
            assert receiver.inject()["traceparent"][36:52] == f"{task.get_span_context().span_id:016x}"
        assert task.is_recording()


@pytest.mark.parametrize("options", [{"max_age": 60}, {"attributes": 7}, {"kind": None}, {"baggage": [[]]}], ids=str)
def test_wrong_options_do_not_end_the_job(spans: Spans, options: Any, caplog: pytest.LogCaptureFixture) -> None:
    ran = False
    with receiver.start_job(spans.tracer, "report", {"traceparent": PARENT, "waybill": waybill()}, **options):
        ran = True
        assert receiver.inject()
    assert ran


def test_a_broken_log_does_not_change_the_job(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("log")

    monkeypatch.setattr(logging.getLogger("waybill_receiver"), "handlers", [Broken()])
    for source in ({"traceparent": "nonsense"}, PARENT):
        with receiver.start_job(None, "report", source):  # type: ignore[arg-type]
            pass


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


def test_inject_of_a_long_tracestate(spans: Spans) -> None:
    """It is read and recorded, and not written: not every receiver accepts it."""
    state = ",".join(f"k{n}={'v' * 200}" for n in range(4))
    with receiver.start_job(spans.tracer, "job", {"traceparent": PARENT, "tracestate": state}) as span:
        assert len(span.get_span_context().trace_state) == 4
        assert set(receiver.inject()) == {"traceparent", "waybill"}


def test_inject_replaces(spans: Spans) -> None:
    old = {"traceparent": OTHER, "tracestate": "a=b", "Waybill": waybill(), "baggage": "x=y", "day": "1"}
    with receiver.start_job(spans.tracer, "report", {}) as span:
        carrier = receiver.inject(old)
    assert carrier is old
    assert set(carrier) == {"traceparent", "waybill", "day"}
    assert carrier["traceparent"].split("-")[1] == format(span.get_span_context().trace_id, "032x")
    assert receiver.inject({"traceparent": OTHER}, Context()) == {}


@pytest.mark.parametrize("age", [timedelta(), timedelta(days=1)], ids=str)
def test_without_an_sdk_the_context_is_passed_on(age: timedelta) -> None:
    tracer = trace.NoOpTracerProvider().get_tracer("none")
    with receiver.start_job(tracer, "report", {"traceparent": PARENT, "waybill": waybill(age)}) as span:
        assert not span.is_recording()
        assert receiver.inject()["traceparent"] == PARENT
        assert receiver.Waybill.parse(receiver.inject()["waybill"]) is not None
    with trace.use_span(trace.NonRecordingSpan(receiver.read({"traceparent": PARENT}).span_context)):
        with receiver.start_job(tracer, "report", {}):
            assert receiver.inject()["traceparent"] == PARENT


def test_a_sampler_decides_what_is_passed_on() -> None:
    for sampler, source, flags in (
        (ALWAYS_OFF, PARENT, "00"),
        (DEFAULT_OFF, PARENT, "01"),
        (DEFAULT_ON, PARENT[:-2] + "00", "00"),
        (ParentBased(TraceIdRatioBased(0)), PARENT, "01"),
    ):
        tracer = TracerProvider(sampler=sampler).get_tracer("test")
        with receiver.start_job(tracer, "report", {"traceparent": source}):
            carried = receiver.inject()["traceparent"]
        assert (carried[3:35], carried[-2:]) == (f"{TRACE:x}", flags)


def test_child_environ(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACEPARENT", "tracestate", "BAGGAGE", "WAYBILL"):
        monkeypatch.setenv(name, "old")
    before = dict(os.environ)
    source = {"traceparent": PARENT, "baggage": "tenant=blue"}
    with receiver.start_job(spans.tracer, "report", source, baggage="tenant"):
        child = receiver.child_environ()
        assert receiver.child_environ({"A": "b"}).keys() == {"A", "TRACEPARENT", "WAYBILL"}
    assert os.environ == before
    assert child["PATH"] == before["PATH"]
    assert child.keys() - before.keys() == set() and before.keys() - child.keys() == {"tracestate", "BAGGAGE"}
    assert receiver.read(child).span_context.span_id == spans.one().context.span_id
    assert not receiver.child_environ({"TRACEPARENT": OTHER}, Context())


def test_start_job_decorates_functions(spans: Spans) -> None:
    @receiver.start_job(spans.tracer, "count", {"traceparent": PARENT})
    def count(down: int) -> str:
        """Count down."""
        return count(down - 1) if down else receiver.inject()["traceparent"]

    @receiver.start_job(spans.tracer, "wait", {"traceparent": PARENT})
    async def wait() -> int:
        await asyncio.sleep(0)
        return trace.get_current_span().get_span_context().span_id

    assert count.__doc__ == "Count down."
    assert count(1)[3:35] == f"{TRACE:x}"
    inner, outer = spans.exporter.get_finished_spans()
    assert inner.parent is not None and inner.parent.span_id == outer.context.span_id
    assert outer.parent is not None and outer.parent.span_id == SPAN

    assert asyncio.run(wait()) == spans.exporter.get_finished_spans()[-1].context.span_id
    for generator in (lambda: (yield), AsyncGenerator.run):
        with pytest.raises(TypeError, match="with statement"):
            receiver.start_job(spans.tracer, "job", {})(generator)


class AsyncGenerator:
    async def run(self) -> Any:
        yield


def test_start_job_in_a_generator_that_is_left_early(spans: Spans) -> None:
    def rows() -> Generator[int, None, None]:
        with receiver.start_job(spans.tracer, "rows", {}):
            yield 1
            yield 2

    generator = rows()
    assert next(generator) == 1
    generator.close()
    assert (spans.one().attributes or {})["etl.outcome"] == "success"
    assert not trace.get_current_span().get_span_context().is_valid


def test_tasks_do_not_share(spans: Spans) -> None:
    async def work(n: int) -> bool:
        with receiver.start_job(spans.tracer, "report", {"traceparent": f"00-{n:032x}-{n:016x}-01"}):
            for _ in range(10):
                await asyncio.sleep(0)
            return bool(receiver.inject()["traceparent"][3:35] == f"{n:032x}")

    async def main() -> list[bool]:
        return await asyncio.gather(*(work(n) for n in range(1, 9)))

    assert asyncio.run(main()) == [True] * 8


def passes_on(source: dict[str, str]) -> str:
    """Run a job in another process, which returns what it passes on."""
    tracer = TracerProvider().get_tracer("test")
    with receiver.start_job(tracer, "part", source):
        return str(receiver.inject()["traceparent"])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_start_job_in_a_pool(spans: Spans, method: str) -> None:
    with receiver.start_job(spans.tracer, "report", {"traceparent": PARENT}):
        with multiprocessing.get_context(method).Pool(2) as pool:
            results = pool.map(passes_on, [receiver.inject()] * 3)
    assert {result[3:35] for result in results} == {f"{TRACE:x}"}
    assert len({result[36:52] for result in results}) == 3


def test_a_copy_of_the_file_passes_the_waybill_on(spans: Spans) -> None:
    """As in a notebook whose cell is run again, and in two wheels that each have the file."""
    spec = importlib.util.spec_from_file_location("other_receiver", receiver.__file__)
    assert spec is not None and spec.loader is not None
    other = importlib.util.module_from_spec(spec)
    sys.modules["other_receiver"] = other
    spec.loader.exec_module(other)
    sent = waybill(timedelta(minutes=1))
    with receiver.start_job(spans.tracer, "report", {"traceparent": PARENT, "waybill": sent}):
        carried = other.inject()["waybill"]
    assert (carried[:17], carried[-4:]) == (sent[:17], "0002")


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


class Flushes(trace.NoOpTracerProvider):
    """A provider that notes how long it may flush, and then does what it is told."""

    def __init__(self, then: Any = bool) -> None:
        self.then = then
        self.timeouts: list[int] = []

    def force_flush(self, timeout_millis: int) -> bool:
        self.timeouts.append(timeout_millis)
        self.then()
        return True


def test_flush_of_all_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, also if one fails, and if the tracer is not of the global provider."""
    all_flush = threading.Barrier(4, timeout=60)
    own, spans, metrics, logs = (Flushes(lambda: all_flush.wait() / 0) for _ in range(4))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: spans)
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", MagicMock(get_meter_provider=lambda: metrics))
    monkeypatch.setitem(sys.modules, "opentelemetry._logs", MagicMock(get_logger_provider=lambda: logs))
    with receiver.start_job(MagicMock(span_processor=own), "report", {}):
        pass
    assert [holder.timeouts for holder in (own, spans, metrics, logs)] == [[5000]] * 4


def test_a_hanging_flush_ends(
    spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK sends each batch for as long as its exporter takes, whatever the time of force_flush."""
    released = threading.Event()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: Flushes(released.wait))
    monkeypatch.setattr(receiver, "_FLUSH_SECONDS", 0.05)
    with receiver.start_job(spans.tracer, "report", {}):
        pass
    released.set()
    assert [record.getMessage() for record in caplog.records] == [
        "the telemetry of the job was not sent within 0.05 seconds"
    ]


# The beginning of programs that write their spans to the standard output when they are flushed.
PROGRAM = """
import os, signal, sys
import waybill_receiver
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
tracer = trace.get_tracer("t")  # Before there is an SDK.
def line(span):
    outcome, code = span.attributes["etl.outcome"], span.attributes["process.exit.code"]
    return f"{span.name} {span.parent.span_id:x} {outcome} {code}\\n"
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(formatter=line)))
trace.set_tracer_provider(provider)
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
with waybill_receiver.start_job(tracer, "job"):
"""


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a process that gets its context in its environment."""
    environ = {**os.environ, "TRACEPARENT": PARENT, "PYTHONPATH": str(Path(receiver.__file__).parent)}
    command = [sys.executable, "-B", "-W", "ignore", "-c", program]
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("body", "code", "out"),
    [
        ("    raise SystemExit(7)", 7, "failure 7"),
        ("    pass\nos._exit(0)", 0, "success 0"),
        ("    os.kill(os.getpid(), signal.SIGTERM); signal.pause()", 143, "cancelled 143"),
        ("    if os.fork() == 0: sys.exit(9)\n    os.wait()", 0, "success 0"),
        ("    import threading; t = threading.Thread(target=sys.exit, args=[3]); t.start(); t.join()", 0, "success 0"),
    ],
    ids=["exits", "ends without its exit handlers", "is told to end", "forks", "has a thread that exits"],
)
def test_whole_program(tmp_path: Path, body: str, code: int, out: str) -> None:
    """A process sends the span of its job once, however it ends."""
    done = run(PROGRAM + body, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, f"job {SPAN:x} {out}\n", "")


def test_whole_program_without_an_sdk(tmp_path: Path) -> None:
    program = (
        "import waybill_receiver\nfrom opentelemetry import trace\n"
        "with waybill_receiver.start_job(trace.get_tracer('t'), 'job'):\n"
        "    print(waybill_receiver.inject()['traceparent'])\n    raise SystemExit(7)\n"
    )
    done = run(program, tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (7, PARENT, "")


def test_whole_program_with_a_disabled_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    done = run(PROGRAM + "    print(waybill_receiver.inject()['traceparent'][:35])", tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, PARENT[:35])
    assert done.stderr in ("", "SDK is disabled.\n")  # As some versions say.


def test_the_example_of_the_documentation() -> None:
    assert doctest.testmod(receiver) == (0, 5)


def pages() -> list[str]:
    """Return the lines of the pages that show this file."""
    folder = Path(__file__).parent
    return [line for page in ("README.md", "../docs/jobs.md") for line in (folder / page).read_text().splitlines()]


SOURCES = sorted({m for line in pages() for m in re.findall(r'start_job\(.*?, (?:name|"\w+"), (.+?)\)(?::|`)', line)})


@pytest.mark.parametrize("source", SOURCES)
def test_the_pages_read_a_context(source: str) -> None:
    fields, properties = {"traceparent": PARENT}, [("spark.waybill.traceparent", PARENT)]
    names = {
        "context": type("Context", (dict,), {"run": MagicMock(tags=fields)})(fields),
        "dag_run": MagicMock(conf=fields),
        "dbutils": MagicMock(**{"widgets.getAll.return_value": fields}),
        "spark": MagicMock(**{"sparkContext.getConf.return_value.getAll.return_value": properties}),
        "FlowRunContext": MagicMock(**{"get.return_value.flow_run.labels": fields}),
    }
    assert receiver.read(eval(source, names)).span_context.span_id == SPAN  # noqa: S307


RECIPES = [m[1] for line in pages() if (m := re.fullmatch(r"\| .+ \| `(.*waybill_receiver.*?)`.*\|", line))]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_pages_pass_a_context_on(spans: Spans, recipe: str) -> None:
    names = {
        "waybill_receiver": receiver,
        "subprocess": MagicMock(run=lambda command, env: env),
        "pool": MagicMock(submit=lambda work, context: context),
        "command": None,
        "work": None,
        "doc": {},
    }
    with receiver.start_job(spans.tracer, "report", {"traceparent": PARENT}) as span:
        result = eval(recipe.removeprefix('doc["context"] = '), names)  # noqa: S307
    assert receiver.read(result).span_context.span_id == span.get_span_context().span_id


def test_the_pages_are_read() -> None:
    assert (len(SOURCES), len(RECIPES)) == (6, 6)


def test_the_syntax_is_that_of_python_3_9() -> None:
    ast.parse(Path(receiver.__file__).read_text(), feature_version=(3, 9))


@pytest.mark.parametrize(("flags", "passed_on"), [("00", "00"), ("03", "03"), ("ff", "03"), ("08", "00")])
def test_reserved_flags_are_not_passed_on(flags: str, passed_on: str) -> None:
    """Package propagation, and OpenTelemetry for Go, take a context with such a flag as malformed."""
    document = receiver.inject({}, receiver.extract({"traceparent": PARENT[:-2] + flags}, Context()))
    assert document["traceparent"] == PARENT[:-2] + passed_on


def test_plain_opentelemetry_reads_what_it_writes() -> None:
    """A document that this file marks is read by those who do not have it, and the other way."""
    document = receiver.inject({}, receiver.extract({"traceparent": PARENT}, Context()))
    assert trace.get_current_span(propagate.extract(document)).get_span_context().trace_id == TRACE
    theirs: dict[str, str] = {}
    propagate.inject(theirs, receiver.extract({"traceparent": PARENT}, Context()))
    assert receiver.read(theirs).span_context.trace_id == TRACE
