"""Spans through the OpenTelemetry API; the application decides whether an SDK records them.

Without an SDK a span costs a few microseconds for nothing, so `span` does nothing at all then: the receive path runs
ten thousand times a second.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# An insert holds predictions of many traces; a span takes 128 links by default (OpenTelemetry SDK specification).
MOST_LINKS = 128

_NO_SPAN = nullcontext(trace.INVALID_SPAN)
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_TRACEPARENT = re.compile(rf"(?!ff)[0-9a-f]{{2}}-({_TRACE_ID.pattern})-[0-9a-f]{{16}}-[0-9a-f]{{2}}(-.*)?")


def trace_id(traceparent: str) -> str:
    """The 32 hex digits of a W3C `traceparent`, '' when it is not one."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found[1] if found else ""


def span(
    name: str,
    carrier: Mapping[str, str] | None = None,
    links: Iterable[str] = (),
    quotes_errors: bool = True,
    **attributes: str | int | float,
) -> AbstractContextManager[Span]:
    """A current span `name`, child of the trace in `carrier` (headers), linked to the trace ids in `links`.

    Rows carry what senders call a trace id; what is none gets no link. Without `quotes_errors` what an error says that
    ends the span is no part of it.
    """
    if not _recording():
        return _NO_SPAN
    linked = sorted({t for t in links if _TRACE_ID.fullmatch(t)})[:MOST_LINKS]
    parent = TraceContextTextMapPropagator().extract(carrier) if carrier else None
    started = trace.get_tracer("tidemark").start_as_current_span(
        name,
        context=parent,
        links=[_link(t) for t in linked],
        attributes=attributes,
        record_exception=quotes_errors,
        set_status_on_exception=quotes_errors,
    )
    return started if quotes_errors else _names_errors(started)


@contextmanager
def _names_errors(started: AbstractContextManager[Span]) -> Iterator[Span]:
    """An error that ends the span is its status by type alone."""
    with started as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


@cache  # asking looks into the environment each time; an SDK is set up before the first span, and for good
def _recording() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)


def _link(trace_id: str) -> Link:
    """A link names a span as well as a trace; the row keeps only the trace, so the span id is its first half."""
    number = int(trace_id, 16)
    return Link(SpanContext(number, number >> 64 or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)))
