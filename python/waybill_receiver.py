# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""The receiving side of waybill for jobs and notebooks in Python.

A job that was started with a trace context, by Databricks, Airflow, Spark, Argo, a
Kubernetes Job or another program, continues the flow with one call::

    import waybill_receiver
    from opentelemetry import trace

    with waybill_receiver.start_job(trace.get_tracer("report"), "report", dbutils.widgets.getAll()):
        ...

The context may be in

* a mapping: job parameters, widgets, ``os.environ``, the conf of Spark, or the ``conf`` of an
  Airflow DAG run, also under ``airflow/dagrun_parent_trace_context``;
* a list of arguments, as in ``--traceparent=VALUE``;
* nothing that is named: then the environment is looked at, and then ``sys.argv``.

Copy this file into a notebook or a wheel. It needs ``opentelemetry-api`` and nothing else, and
Python 3.9 or newer. Without an SDK it starts no span, and the context is still passed on by
:func:`inject`.

Reading never raises an exception for what a context holds: a malformed one is logged once, as a
warning of the logger ``waybill_receiver``, and the job starts a new trace. No context is no error.
All functions may be called from several threads.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Optional, Union

from opentelemetry import baggage as _baggage
from opentelemetry import context as _context
from opentelemetry import trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

__all__ = [
    "DEFAULT_MAX_AGE",
    "Remote",
    "Waybill",
    "WaybillPropagator",
    "extract",
    "inject",
    "read",
    "start_job",
    "take_args",
]

#: Where the context of a job may be: a mapping, a list of arguments, or None for the environment
#: and the arguments of this process.
Source = Union[Mapping[str, Any], Sequence[str], None]

#: The age from which the context that a job was started with is linked, and no longer the parent.
DEFAULT_MAX_AGE = timedelta(minutes=20)

_KEYS = ("traceparent", "tracestate", "baggage", "waybill")
_AIRFLOW_PARENT = "airflow/dagrun_parent_trace_context"
_SPARK_PREFIX = "spark.waybill."
_CREATOR = "WAYBILL_CREATOR"
_MAX_HOPS = 0xFFFF
_MAX_TRACEPARENT = 512
_FLUSH_SECONDS = 5.0
_PROVIDERS = (
    ("opentelemetry.trace", "get_tracer_provider"),
    ("opentelemetry.metrics", "get_meter_provider"),
    ("opentelemetry._logs", "get_logger_provider"),
)
#: The exit codes of a process that was told to end, as shells have them.
_SIGNALS = {129: "SIGHUP", 130: "SIGINT", 131: "SIGQUIT", 143: "SIGTERM"}
_WAYBILL = re.compile(r"([0-9a-f]{2})-([0-9a-f]{14})-([0-9a-f]{14})-([0-9a-f]{4})(-.*)?", re.ASCII | re.DOTALL)
_WAYBILL_KEY = _context.create_key("waybill")

_log = logging.getLogger("waybill_receiver")


@dataclass(frozen=True)
class Waybill:
    """When data entered the flow, when it was last sent, and how many hops it has made.

    Times are in microseconds since 1970. The text has a fixed width: 2 digits of version, 14 of
    origin, 14 of sent and 4 of hops, in lower-case hexadecimal, with a dash between them.
    """

    origin: int
    sent: int
    hops: int = 0

    @classmethod
    def parse(cls, text: str) -> Optional[Waybill]:
        """Return the waybill in text, or None if it is malformed."""
        match = _WAYBILL.fullmatch(text)
        if match is None:
            return None
        version, origin, sent, hops, more = match.groups()
        if version == "ff" or (version == "00" and more is not None):
            return None
        waybill = cls(int(origin, 16), int(sent, 16), int(hops, 16))
        return waybill if waybill.origin and waybill.sent else None

    def departed(self, now: Optional[int] = None) -> Waybill:
        """Return the waybill of the same data that is sent now."""
        now = _micros() if now is None else now
        return Waybill(self.origin or now, now, min(max(self.hops, 0) + 1, _MAX_HOPS))

    def age(self) -> timedelta:
        """Return the time since the data was sent."""
        return timedelta(microseconds=_micros() - self.sent)

    def __str__(self) -> str:
        return f"00-{self.origin:014x}-{self.sent:014x}-{self.hops:04x}"


class WaybillPropagator(TextMapPropagator):
    """The OpenTelemetry propagator of the waybill, to be composed with others."""

    def extract(
        self,
        carrier: CarrierT,
        context: Optional[Context] = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Return context with the waybill of carrier; a malformed one is ignored."""
        context = Context() if context is None else context
        values = getter.get(carrier, "waybill") or []
        waybill = Waybill.parse(values[0]) if values else None
        return context if waybill is None else _context.set_value(_WAYBILL_KEY, waybill, context)

    def inject(
        self,
        carrier: CarrierT,
        context: Optional[Context] = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the waybill of data that is sent now, if context has a span or a waybill."""
        waybill = _context.get_value(_WAYBILL_KEY, context)
        if isinstance(waybill, Waybill):
            setter.set(carrier, "waybill", str(waybill.departed()))
        elif trace.get_current_span(context).get_span_context().is_valid:
            setter.set(carrier, "waybill", str(Waybill(0, 0).departed()))

    @property
    def fields(self) -> set[str]:
        """The one key of a waybill."""
        return {"waybill"}


@dataclass(frozen=True)
class Remote:
    """What a source held.

    The span context is not valid if there was none. ``malformed`` is the text of a traceparent
    that could not be read, or None.
    """

    span_context: trace.SpanContext
    waybill: Optional[Waybill] = None
    baggage: Mapping[str, object] = field(default_factory=dict)
    malformed: Optional[str] = None

    @property
    def outcome(self) -> str:
        """How the search for the context ended: ok, absent or malformed."""
        if self.span_context.is_valid:
            return "ok"
        return "absent" if self.malformed is None else "malformed"

    def context(self, context: Optional[Context] = None) -> Context:
        """Return context, the current one by default, with what the source held."""
        context = self.beside(context)
        if self.span_context.is_valid:
            context = trace.set_span_in_context(trace.NonRecordingSpan(self.span_context), context)
        return context

    def beside(self, context: Optional[Context] = None) -> Context:
        """Return context with the waybill and the baggage of the source, but not its span."""
        context = _context.get_current() if context is None else context
        if self.waybill is not None:
            context = _context.set_value(_WAYBILL_KEY, self.waybill, context)
        for key, value in self.baggage.items():
            context = _baggage.set_baggage(key, value, context)
        return context


def read(source: Source = None, *, baggage: Iterable[str] = ()) -> Remote:
    """Return the context that source holds.

    Of the baggage, only the members with the keys in baggage are accepted: whoever starts a job
    can write there.
    """
    remote = Remote(trace.INVALID_SPAN_CONTEXT)
    for fields in _fields_of(source):
        found = _parse(fields, frozenset(baggage))
        if found.span_context.is_valid:
            return found
        if remote.outcome == "absent":
            remote = found
    return remote


def extract(source: Source = None, context: Optional[Context] = None, *, baggage: Iterable[str] = ()) -> Context:
    """Return context, the current one by default, with the context that source holds."""
    remote = read(source, baggage=baggage)
    _warn(remote)
    return remote.context(context)


def inject(carrier: Optional[dict[str, str]] = None, context: Optional[Context] = None) -> dict[str, str]:
    """Write the current context to carrier, a new dict by default, and return it.

    Keys of an earlier context are removed. Baggage is not written: what a job hands on is stored
    and shown. Use it for the parameters, the arguments or the documents that the job makes.
    """
    carrier = {} if carrier is None else carrier
    for key in [key for key in carrier if key.lower() in _KEYS]:
        del carrier[key]
    TraceContextTextMapPropagator().inject(carrier, context)
    WaybillPropagator().inject(carrier, context)
    return carrier


def take_args(args: Optional[Sequence[str]] = None) -> tuple[dict[str, str], list[str]]:
    """Return the context in args, ``sys.argv[1:]`` by default, and the other arguments.

    The first result is a source for :func:`start_job`; the second is for argparse, which refuses
    arguments that it does not know. After ``--`` nothing is ours.
    """
    args = list(sys.argv[1:] if args is None else args)
    found: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    while at < len(args):
        if args[at] == "--":
            return found, rest + args[at:]
        flag, inline, value = args[at].partition("=")
        name = flag[2:] if flag.startswith("--") else flag[1:] if flag.startswith("-") else ""
        if name not in _KEYS:
            rest.append(args[at])
        elif inline:
            found[name] = value
        elif at + 1 < len(args):
            at += 1
            found[name] = args[at]
        at += 1
    return found, rest


@contextlib.contextmanager
def start_job(
    tracer: trace.Tracer,
    name: str,
    source: Source = None,
    *,
    max_age: Optional[timedelta] = DEFAULT_MAX_AGE,
    link: bool = False,
    baggage: Iterable[str] = (),
    attributes: Optional[Mapping[str, AttributeValue]] = None,
    kind: trace.SpanKind = trace.SpanKind.INTERNAL,
) -> Iterator[trace.Span]:
    """Run the body of a with statement as a job of the flow, in a span of its own.

    The context of source is the parent, and linked too, if it was sent within max_age or its age
    is not known; else the span is a new root with a link. With link it always is, for jobs that
    are queued for long; max_age None is no limit. If there is a current span that is sampled, as in
    a task of Airflow that traces itself, that span stays the parent, and the context is linked.

    A run of a CronJob links what created the CronJob, if its environment says so.

    How the body ends is on the span as etl.outcome, error.type and process.exit.code, and the
    exception goes on; sys.exit(128 + number) in the handler of a signal is a cancellation. Afterwards
    the global providers are flushed if they can be, for five seconds at most.
    """
    remote = read(source, baggage=baggage)
    _warn(remote)
    parent, links = _relation(remote, max_age, link)
    links += _links(_creator(source))
    start = {"waybill.extract": remote.outcome, **(attributes or {})}
    span = tracer.start_span(name, parent, kind, start, links, record_exception=False, set_status_on_exception=False)
    try:
        with trace.use_span(
            span, end_on_exit=False, record_exception=False, set_status_on_exception=False
        ), _attached(remote):
            yield span
    except BaseException as error:
        _end(span, error)
        raise
    else:
        _end(span, None)
    finally:
        _flush()


def _relation(remote: Remote, max_age: Optional[timedelta], link: bool) -> tuple[Context, list[trace.Link]]:
    """Return the context with the parent of the span of a job, and its links."""
    current = _current()
    ambient = trace.get_current_span(current).get_span_context()
    theirs = remote.span_context
    if not theirs.is_valid:
        return current, []
    if link:
        return Context(), _links(theirs, ambient)
    if ambient.trace_flags.sampled:
        # The current span continues the flow already if it is in the trace of the context.
        return current, [] if ambient.trace_id == theirs.trace_id else _links(theirs)
    if max_age is not None and remote.waybill is not None and remote.waybill.age() > max_age:
        return Context(), _links(theirs)
    return remote.context(current), _links(theirs)


def _current() -> Context:
    """Return the current context, without a remote span that is not sampled.

    A task of an Airflow that does not trace itself has such a span: Airflow never records it, and
    below it no span of the task would be sampled.
    """
    current = _context.get_current()
    span_context = trace.get_current_span(current).get_span_context()
    if span_context.is_remote and not span_context.trace_flags.sampled:
        return trace.set_span_in_context(trace.INVALID_SPAN, current)
    return current


def _creator(source: Source) -> trace.SpanContext:
    """Return the span that created the CronJob of which this process is a run."""
    if source is not None:
        return trace.INVALID_SPAN_CONTEXT
    return _parse({"traceparent": os.environ.get(_CREATOR, "")}, frozenset()).span_context


def _links(*contexts: trace.SpanContext) -> list[trace.Link]:
    return [trace.Link(c) for c in contexts if c.is_valid]


@contextlib.contextmanager
def _attached(remote: Remote) -> Iterator[None]:
    """Make the waybill and the baggage of remote current."""
    token = _context.attach(remote.beside())
    try:
        yield
    finally:
        _context.detach(token)


def _end(span: trace.Span, error: Optional[BaseException]) -> None:
    """Write to span how a job ended, and end it."""
    outcome, code = _outcome_of(error)
    span.set_attribute("etl.outcome", outcome)
    span.set_attribute("process.exit.code", code)
    if code in _SIGNALS:
        span.set_attribute("waybill.job.signal", _SIGNALS[code])
    if outcome != "success":
        kind = {"cancelled": "canceled", "timeout": "timeout"}.get(outcome) or _type_name(error)
        span.set_attribute("error.type", kind)
        if outcome != "cancelled":
            span.set_status(trace.StatusCode.ERROR, kind)
    span.end()


def _outcome_of(error: Optional[BaseException]) -> tuple[str, int]:
    """Return the outcome of a job that ended with error, and the exit code of its process."""
    if error is None:
        return "success", 0
    if isinstance(error, SystemExit):
        code = error.code
        code = 0 if code is None else code & 0xFF if isinstance(code, int) else 1
        return ("success" if code == 0 else "cancelled" if code in _SIGNALS else "failure"), code
    if isinstance(error, KeyboardInterrupt):
        return "cancelled", 130
    if isinstance(error, TimeoutError):
        return "timeout", 1
    return ("cancelled" if type(error).__name__ == "CancelledError" else "failure"), 1


def _type_name(error: Optional[BaseException]) -> str:
    """Return the type of error as OpenTelemetry names types of Python."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _flush() -> None:
    """Send the telemetry that is left, before a short-lived process ends, for five seconds at most.

    A thread does it, because some versions of the SDK ignore the time that force_flush is given.
    """
    thread = threading.Thread(target=_flush_providers, name="waybill_receiver", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # There can be no more threads.
        return
    thread.join(_FLUSH_SECONDS)
    if thread.is_alive():
        _log.warning("the telemetry of the job was not sent within %g seconds", _FLUSH_SECONDS)


def _flush_providers() -> None:
    """Flush the global providers, of which only those of modules that are imported can have anything."""
    for module, getter in _PROVIDERS:
        try:
            provider = getattr(sys.modules.get(module), getter, lambda: None)()
            flush = getattr(provider, "force_flush", None)
            if callable(flush):
                flush(int(_FLUSH_SECONDS * 1000))
        except Exception:  # noqa: BLE001 - telemetry must not change how the job ends.
            _log.debug("the telemetry could not be flushed", exc_info=True)


def _warn(remote: Remote) -> None:
    if remote.outcome == "malformed":
        _log.warning("the job starts a new trace: its context is malformed: traceparent %.80r", remote.malformed)


def _fields_of(source: Source) -> Iterator[dict[str, str]]:
    """Return the fields of each place that source names, in order."""
    if source is None:
        yield _from_mapping(os.environ)
        yield take_args()[0]
    elif isinstance(source, Mapping):
        yield _from_mapping(source)
    elif isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        yield take_args([a for a in source if isinstance(a, str)])[0]


def _from_mapping(source: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields in a mapping: plain, of an environment, of Spark, or of Airflow."""
    found: dict[str, str] = {}
    for key in _KEYS:
        for name in (key, key.upper(), _SPARK_PREFIX + key):
            value = source.get(name)
            if isinstance(value, str) and value:
                found[key] = value
                break
    parent = source.get(_AIRFLOW_PARENT)
    if "traceparent" not in found and parent is not None:
        fields = {"traceparent": parent} if isinstance(parent, str) else parent
        if isinstance(fields, Mapping):
            found.update({k: v for k, v in fields.items() if k in _KEYS[:2] and isinstance(v, str)})
    return found


def _parse(fields: Mapping[str, str], keys: frozenset[str]) -> Remote:
    """Return what fields hold, with the members of the baggage that have one of keys."""
    text = fields.get("traceparent", "")
    # Of a longer one, the propagator of OpenTelemetry says so each time.
    context = TraceContextTextMapPropagator().extract(fields, Context()) if len(text) <= _MAX_TRACEPARENT else Context()
    span_context = trace.get_current_span(context).get_span_context()
    members: dict[str, object] = {}
    if keys and "baggage" in fields:
        received = _baggage.get_all(W3CBaggagePropagator().extract(fields, Context()))
        members = {key: value for key, value in received.items() if key in keys}
    malformed = text if text and not span_context.is_valid else None
    return Remote(span_context, Waybill.parse(fields.get("waybill", "")), members, malformed)


def _micros() -> int:
    return time.time_ns() // 1000
