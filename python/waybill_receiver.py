# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""The receiving side of waybill for jobs and notebooks in Python.

A job that was started with a trace context, by Databricks, Airflow, Spark, Argo, a
Kubernetes Job or another program, continues the flow with one call:

>>> import waybill_receiver
>>> from opentelemetry import trace
>>> parameters = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
>>> with waybill_receiver.start_job(trace.get_tracer("report"), "report", parameters):
...     following = waybill_receiver.inject({"region": "Chile"})  # The parameters of the next job.
>>> following["traceparent"][3:35]
'4bf92f3577b34da6a3ce929d0e0e4736'

The context may be in

* a mapping: job parameters, widgets, ``os.environ``, the conf of Spark, or the ``conf`` of an
  Airflow DAG run, also under ``airflow/dagrun_parent_trace_context``; or a list of pairs;
* a list of arguments, as in ``--traceparent=VALUE``;
* nothing that is named: then the environment is looked at, and then ``sys.argv``.

It is read in the formats of the global propagator of OpenTelemetry, and as W3C Trace Context.

Copy this file into a notebook or a wheel. It needs ``opentelemetry-api`` 1.9 or newer and nothing
else, and Python 3.9 or newer. Without an SDK it starts no span, and the context is still passed
on by :func:`inject`.

The telemetry never changes the job. Reading never raises an exception for what a context holds: a
malformed one is logged once, as a warning of the logger ``waybill_receiver``, and the job starts a
new trace. No context is no error. What a tracer, a propagator or an exporter raises is logged.
All functions may be called from several threads.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar, Union, cast
from urllib.parse import unquote_plus

from opentelemetry import baggage as _baggage
from opentelemetry import context as _context
from opentelemetry import propagate, trace
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
    "Job",
    "Remote",
    "Waybill",
    "WaybillPropagator",
    "child_environ",
    "extract",
    "inject",
    "read",
    "start_job",
    "take_args",
]

#: Where the context of a job may be: a mapping, a list of pairs or of arguments, or None for the
#: environment and the arguments of this process.
Source = Union[Mapping[str, Any], Sequence[str], Sequence[tuple[str, Any]], None]

#: The age from which the context that a job was started with is linked, and no longer the parent.
DEFAULT_MAX_AGE = timedelta(minutes=20)

_Function = TypeVar("_Function", bound=Callable[..., Any])

_KEYS = ("traceparent", "tracestate", "baggage", "waybill")
_AIRFLOW_PARENT = "airflow/dagrun_parent_trace_context"
_SPARK_PREFIX = "spark.waybill."
_CREATOR = "WAYBILL_CREATOR"
_FLUSH_SECONDS = 5.0
_MAX_HOPS = 0xFFFF
_MAX_TRACEPARENT = 512
_FLAGS = re.compile(r"(?<=-[0-9a-f]{16}-)[0-9a-f]{2}")
_KNOWN_FLAGS = 0x03  # Sampled and random.
_MAX_TRACESTATE = 512  # Of what is written: every receiver must accept it, by W3C Trace Context.
_MAX_MEMBERS = 32
_MAX_VALUE = 8192
_VENDOR = r"[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_MEMBER = re.compile(
    rf"[ \t]*(?:{_VENDOR})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e][ \t]*|[ \t]*"
)
_WAYBILL = re.compile(r"([0-9a-f]{2})-([0-9a-f]{14})-([0-9a-f]{14})-([0-9a-f]{4})(-.*)?", re.ASCII | re.DOTALL)
_WAYBILL_KEY = "waybill_receiver.waybill"  # The same for each copy of this file in a process.

# The global providers. Those of modules that are not imported have nothing to send.
_PROVIDERS = (
    ("opentelemetry.trace", "get_tracer_provider"),
    ("opentelemetry.metrics", "get_meter_provider"),
    ("opentelemetry._logs", "get_logger_provider"),
)
# The exit codes of a process that was told to end, as shells have them.
_SIGNALS = {129: "SIGHUP", 130: "SIGINT", 131: "SIGQUIT", 143: "SIGTERM"}
# The outcomes of exceptions by the name of the type, because this file imports no platform.
_OUTCOMES = {
    "GeneratorExit": "success",  # The consumer of a generator needs no more.
    "NotebookExit": "success",  # Of notebook.exit in Databricks, Fabric and Synapse.
    "AirflowSkipException": "success",
    "AirflowRescheduleException": "success",
    "DownstreamTasksSkipped": "success",
    "TaskDeferred": "success",
    "KeyboardInterrupt": "cancelled",
    "CancelledError": "cancelled",
    "AirflowTaskTerminated": "cancelled",
    "TimeoutError": "timeout",
    "AirflowTaskTimeout": "timeout",
}

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
        """Return the time since the data was sent; below zero if the sender's clock is ahead."""
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
        return context if waybill is None else _with_waybill(waybill, context)

    def inject(
        self,
        carrier: CarrierT,
        context: Optional[Context] = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the waybill of data that is sent now, if context has a span or a waybill."""
        waybill = Waybill.parse(str(_context.get_value(_WAYBILL_KEY, context)))
        if waybill is None and trace.get_current_span(context).get_span_context().is_valid:
            waybill = Waybill(0, 0)
        if waybill is not None:
            setter.set(carrier, "waybill", str(waybill.departed()))

    @property
    def fields(self) -> set[str]:
        """The one key of a waybill."""
        return {"waybill"}


def _with_waybill(waybill: Waybill, context: Context) -> Context:
    """Return context with waybill, as text: a module that is reloaded has another class."""
    return _context.set_value(_WAYBILL_KEY, str(waybill), context)


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
            context = _with_waybill(self.waybill, context)
        for key, value in self.baggage.items():
            context = _baggage.set_baggage(key, value, context)
        return context


def read(source: Source = None, *, baggage: Iterable[str] = ()) -> Remote:
    """Return the context that source holds.

    Of the baggage, only the members with the keys in baggage are accepted: whoever starts a job
    can write there. A source of another type, such as a string or an ``argparse.Namespace``, is
    logged as a warning and holds no context.
    """
    keys: frozenset[str] = frozenset()
    with _contained("no baggage is read"):
        keys = frozenset([baggage] if isinstance(baggage, str) else baggage)
    remote = Remote(trace.INVALID_SPAN_CONTEXT)
    with _contained("the context could not be read"):
        for fields in _places(source):
            found = _parse(fields, keys)
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


def inject(carrier: Optional[dict[str, Any]] = None, context: Optional[Context] = None) -> dict[str, Any]:
    """Write the current context to carrier, a new dict by default, and return it.

    Use it for the parameters of a job that is started, or for the field of a document that is
    stored. For the environment of a process use :func:`child_environ`.

    The keys are in lower case, and those of an earlier context are removed, in either case. The
    context is written as W3C Trace Context and in the formats of the global propagator of
    OpenTelemetry. Baggage is not written: what a job hands on is stored and shown. A tracestate of
    more than 512 characters is not written either. If there is no span and no waybill, nothing is.
    """
    carrier = {} if carrier is None else carrier
    written, keys = _written(context), frozenset(_keys())
    for key in [key for key in carrier if isinstance(key, str) and key.lower() in keys]:
        del carrier[key]
    carrier.update(written)
    return carrier


def child_environ(environ: Optional[Mapping[str, str]] = None, context: Optional[Context] = None) -> dict[str, str]:
    """Return a copy of environ, ``os.environ`` by default, with the current context.

    It is for a process that the job starts, which would inherit the context of the job itself::

        subprocess.run(["./load"], env=waybill_receiver.child_environ(), check=True)

    The names are in upper case, and those of an earlier context are removed. Baggage is not
    written. If there is no span and no waybill, the process starts a flow of its own.
    """
    child = dict(os.environ if environ is None else environ)
    names = {_variable(key) for key in _keys()}
    for name in [name for name in child if name.upper() in names]:
        del child[name]
    child.update({_variable(key): value for key, value in _written(context).items()})
    return child


def take_args(args: Optional[Sequence[str]] = None) -> tuple[dict[str, str], list[str]]:
    """Return the context in args, ``sys.argv[1:]`` by default, and the other arguments.

    The first result is a source for :func:`start_job`, which then does not look at the
    environment; without a source it looks at both. The second is for argparse, which refuses
    arguments that it does not know. After ``--`` nothing is ours, and an argument that begins with
    a dash is not a value of ours.
    """
    args = list(getattr(sys, "argv", [])[1:] if args is None else args)
    keys = _keys()
    found: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    while at < len(args):
        if args[at] == "--":
            return found, rest + args[at:]
        flag, inline, value = args[at].partition("=")
        name = flag[2:] if flag.startswith("--") else flag[1:] if flag.startswith("-") else ""
        if name not in keys:
            rest.append(args[at])
        elif inline:
            found[name] = value
        elif at + 1 < len(args) and not args[at + 1].startswith("-"):
            at += 1
            found[name] = args[at]
        at += 1
    return found, rest


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
) -> Job:
    """Run the body of a with statement as a job of the flow, in a span of its own.

    The context of source is the parent, and linked too, if it was sent within max_age or its age
    is not known; else the span is a new root with a link. With link it always is, for jobs that
    are queued for long; max_age None is no limit. If there is a current span that is sampled, as in
    a task of Airflow that traces itself, that span stays the parent, and the context is linked.

    A run of a CronJob links what created the CronJob, if its environment says so.

    How the body ends is on the span as etl.outcome, error.type and process.exit.code, and the
    exception goes on; sys.exit(128 + number) in the handler of a signal is a cancellation. Afterwards
    the spans, metrics and logs that are left are sent, for five seconds at most. A process that was
    forked in the body leaves the span to its parent.

    The result is for one use, or a decorator of functions and coroutine functions, of which each
    call is a job. It raises TypeError for a generator function. In asynchronous code, an ordinary
    with statement works around the awaits.
    """

    def start() -> tuple[trace.Span, Context]:
        remote = read(source, baggage=baggage)
        _warn(remote)
        context = _context.get_current()
        span = _stand_in(remote, context)
        with _contained("the job runs without a span"):
            parent, links = _relation(remote, max_age, link)
            links += _links(_creator(source))
            given = {"waybill.extract": remote.outcome, **(attributes or {})}
            started = tracer.start_span(
                name, parent, kind, given, links, record_exception=False, set_status_on_exception=False
            )
            if started.get_span_context().is_valid:
                span = started
        return span, trace.set_span_in_context(span, remote.beside(context))

    return Job(tracer, start)


class Job(contextlib.AbstractContextManager[trace.Span]):
    """A job as :func:`start_job` returns it: a context manager, and a decorator."""

    def __init__(self, tracer: trace.Tracer, start: Callable[[], tuple[trace.Span, Context]]) -> None:
        self._tracer = tracer
        self._start = start

    def __enter__(self) -> trace.Span:
        self._span, context = self._start()
        self._process = os.getpid()
        self._token = _context.attach(context)
        return self._span

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        with _contained("the context of the job could not be left"):
            _context.detach(self._token)
        if os.getpid() == self._process:
            _end(self._span, error)
            _flush(self._tracer)

    def __call__(self, work: _Function) -> _Function:
        """Return work as a function of which each call is a job."""
        if inspect.isgeneratorfunction(work) or inspect.isasyncgenfunction(work):
            raise TypeError("start_job cannot decorate a generator function: use a with statement in its body")

        @functools.wraps(work)
        def call(*args: Any, **kwargs: Any) -> Any:
            with copy.copy(self):
                return work(*args, **kwargs)

        @functools.wraps(work)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with copy.copy(self):
                return await work(*args, **kwargs)

        return cast(_Function, call_async if inspect.iscoroutinefunction(work) else call)


def _stand_in(remote: Remote, context: Context) -> trace.Span:
    """Return a span that records nothing and passes the context on, if no SDK starts one."""
    theirs = remote.span_context
    if not theirs.is_valid:
        theirs = trace.get_current_span(context).get_span_context()
    return trace.NonRecordingSpan(theirs)


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


def _end(span: trace.Span, error: Optional[BaseException]) -> None:
    """Write to span how a job ended, and end it."""
    with _contained("how the job ended is not recorded"):
        outcome, code = _outcome_of(error)
        span.set_attribute("etl.outcome", outcome)
        span.set_attribute("process.exit.code", code)
        if outcome != "success":
            kind = {"cancelled": "canceled", "timeout": "timeout"}.get(outcome) or _type_name(error)
            span.set_attribute("error.type", kind)
            if outcome != "cancelled":
                span.set_status(trace.Status(trace.StatusCode.ERROR, kind))
        if code in _SIGNALS:
            span.set_attribute("waybill.job.signal", _SIGNALS[code])
    with _contained("the span of the job is not sent"):
        span.end()


def _outcome_of(error: Optional[BaseException]) -> tuple[str, int]:
    """Return the outcome of a job that ended with error, and the exit code of its process."""
    if error is None:
        return "success", 0
    if isinstance(error, SystemExit):
        code = error.code
        code = 0 if code is None else code & 0xFF if isinstance(code, int) else 1
        return ("success" if code == 0 else "cancelled" if code in _SIGNALS else "failure"), code
    outcome = _classify(error)
    if outcome == "success":
        return outcome, 0
    return outcome, 130 if isinstance(error, KeyboardInterrupt) else 1


def _classify(error: BaseException) -> str:
    """Return the outcome of a job that ended with error, which is not a SystemExit."""
    names = [kind.__name__ for kind in type(error).__mro__]
    if "BaseExceptionGroup" in names:
        outcomes = {_classify(e) for e in getattr(error, "exceptions", ())}
        return outcomes.pop() if len(outcomes) == 1 else "failure"
    return next((_OUTCOMES[name] for name in names if name in _OUTCOMES), "failure")


def _type_name(error: Optional[BaseException]) -> str:
    """Return the type of error as OpenTelemetry names types of Python."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _flush(tracer: trace.Tracer) -> None:
    """Send the telemetry that is left, before a short-lived process ends, for five seconds at most.

    Threads do it, because some versions of the SDK ignore the time that force_flush is given.
    """
    with _contained("the telemetry could not be flushed"):
        deadline = time.monotonic() + _FLUSH_SECONDS
        threads = [threading.Thread(target=_force_flush, args=[h], daemon=True) for h in _holders(tracer)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            _log.warning("the telemetry of the job was not sent within %g seconds", _FLUSH_SECONDS)


def _force_flush(holder: Any) -> None:
    with _contained("the telemetry could not be flushed"):
        holder.force_flush(int(_FLUSH_SECONDS * 1000))


def _holders(tracer: trace.Tracer) -> Iterator[object]:
    """Return what may have telemetry that is not sent yet."""
    holders = [
        getattr(tracer, "span_processor", None),  # The provider of tracer need not be the global one.
        *(getattr(sys.modules.get(module), getter, bool)() for module, getter in _PROVIDERS),
    ]
    return (holder for holder in holders if callable(getattr(holder, "force_flush", None)))


@contextlib.contextmanager
def _contained(failure: str, level: int = logging.WARNING) -> Iterator[None]:
    """Log what the body raises as a failure of the telemetry, which must not change the job."""
    try:
        yield
    except Exception:  # noqa: BLE001
        with contextlib.suppress(Exception):
            _log.log(level, failure, exc_info=True)


def _warn(remote: Remote) -> None:
    if remote.outcome == "malformed":
        with contextlib.suppress(Exception):
            _log.warning("the job starts a new trace: its context is malformed: traceparent %.80r", remote.malformed)


def _keys() -> list[str]:
    """Return the keys of a context: those of this module and of the global propagator."""
    keys = list(_KEYS)
    with _contained("the propagator names no keys", logging.DEBUG):
        keys += sorted(set(propagate.get_global_textmap().fields).difference(keys))
    return keys


def _propagators() -> list[TextMapPropagator]:
    """Return the propagators of spans, in the order in which they read."""
    return [propagate.get_global_textmap(), TraceContextTextMapPropagator()]


def _variable(key: str) -> str:
    """Return the name of the environment variable for key, as OpenTelemetry specifies it."""
    name = re.sub("[^A-Z0-9_]", "_", key.upper())
    return "_" + name if name[:1].isdigit() else name


def _written(context: Optional[Context]) -> dict[str, str]:
    """Return the fields of context, the current one by default, without its baggage."""
    context = _baggage.clear(context)
    fields: dict[str, str] = {}
    for propagator in [*_propagators(), WaybillPropagator()]:
        with _contained("the propagator writes nothing", logging.DEBUG):
            found: dict[str, str] = {}
            propagator.inject(found, context)
            fields.update(found)
    if len(fields.get("tracestate", "")) > _MAX_TRACESTATE:
        del fields["tracestate"]
    return fields


def _places(source: Source) -> Iterator[dict[str, str]]:
    """Return the fields of each place that source names, in order."""
    if source is None:
        yield from _in_mapping(os.environ)
        yield take_args()[0]
    elif isinstance(source, Mapping):
        yield from _in_mapping(source)
    elif isinstance(source, Sequence) and not isinstance(source, (str, bytes, bytearray)):
        yield take_args([item for item in source if isinstance(item, str)])[0]
        pairs = [item for item in source if isinstance(item, tuple) and len(item) == 2]
        yield from _in_mapping({key: value for key, value in pairs if isinstance(key, str)})
    else:
        _log.warning(
            "the job starts a new trace: a context cannot be in a %s, only in a mapping such as vars(options), "
            "a list of pairs, or a list of arguments",
            type(source).__name__,
        )


def _in_mapping(source: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Return the fields in a mapping: plain, of an environment, of Spark, and of Airflow.

    They are never mixed: a tracestate belongs to the traceparent beside it.
    """

    keys = _keys()

    def named(name: Callable[[str], str]) -> dict[str, str]:
        return {key: value for key in keys if (value := _get(source, name(key)))}

    plain, variables = named(str), named(_variable)
    yield from (variables, plain) if source is os.environ else (plain, variables)
    yield named(lambda key: _SPARK_PREFIX + key)
    parent = _value(source, _AIRFLOW_PARENT)
    if isinstance(parent, str):
        parent = {"traceparent": parent}
    if isinstance(parent, Mapping):
        beside = {key: value for key, value in plain.items() if key in ("baggage", "waybill")}
        yield {**beside, **{key: _get(parent, key) for key in ("traceparent", "tracestate")}}


def _get(source: Mapping[str, Any], name: str) -> str:
    """Return the text under name, the name of its type if it is not text, or "" if there is none."""
    value = _value(source, name)
    return value if isinstance(value, str) else "" if value is None else f"<{type(value).__name__}>"


def _value(source: Mapping[str, Any], name: str) -> Any:
    """Return what source has under name, or None; some sources raise exceptions of their own."""
    try:
        return source.get(name)
    except Exception:  # noqa: BLE001
        return None


def _parse(fields: Mapping[str, str], keys: frozenset[str]) -> Remote:
    """Return what fields hold, with the members of the baggage that have one of keys."""
    span_context = _span_context(fields)
    text = fields.get("traceparent", "")
    malformed = text if text and not span_context.is_valid else None
    waybill = Waybill.parse(fields.get("waybill", ""))
    return Remote(span_context, waybill, _members(fields.get("baggage", ""), keys), malformed)


def _span_context(fields: Mapping[str, str]) -> trace.SpanContext:
    """Return the span in fields, by the global propagator or as W3C Trace Context."""
    # What is too long or malformed is left out, or OpenTelemetry logs it each time.
    fields = {key: value for key, value in fields.items() if key != "baggage" and len(value) <= _MAX_VALUE}
    traceparent = fields.pop("traceparent", "")
    if 0 < len(traceparent) <= _MAX_TRACEPARENT:
        fields["traceparent"] = _without_reserved_flags(traceparent)
    tracestate = fields.pop("tracestate", "").strip(" \t")
    if _is_tracestate(tracestate):
        fields["tracestate"] = tracestate
    for propagator in _propagators():
        with _contained("the propagator reads nothing", logging.DEBUG):
            span_context = trace.get_current_span(propagator.extract(fields, Context())).get_span_context()
            if span_context.is_valid:
                return span_context
    return trace.INVALID_SPAN_CONTEXT


def _without_reserved_flags(traceparent: str) -> str:
    """Return traceparent without the flags that W3C Trace Context reserves: a receiver may refuse them.

    Version 1.9 of OpenTelemetry cannot read most of them.
    """
    return _FLAGS.sub(lambda flags: f"{int(flags[0], 16) & _KNOWN_FLAGS:02x}", traceparent, count=1)


def _is_tracestate(text: str) -> bool:
    """Report whether text is a tracestate that OpenTelemetry accepts as a whole."""
    members = text.split(",", _MAX_MEMBERS)
    return len(text) <= _MAX_VALUE and len(members) <= _MAX_MEMBERS and all(map(_MEMBER.fullmatch, members))


def _members(text: str, keys: frozenset[str]) -> dict[str, object]:
    """Return the members of a baggage that have one of keys, without their properties.

    The propagator of OpenTelemetry logs what it does not accept, and the values with it.
    """
    if len(text) > _MAX_VALUE or not text.isascii():
        return {}
    pairs = [member.partition(";")[0].split("=", 1) for member in text.split(",")] if keys else []
    members = {unquote_plus(pair[0]).strip(): unquote_plus(pair[1]).strip() for pair in pairs if len(pair) == 2}
    return {key: value for key, value in members.items() if key in keys}


def _micros() -> int:
    return time.time_ns() // 1000
