"""POST / and /events: CloudEvents with one request or response each, paired by id whenever the other half comes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from collectors.cloudevents import Event, half_kind, identity, read, status, tags
from collectors.collector import Into
from collectors.formats import decode
from collectors.journal import halves_frame
from collectors.lengths import check_names, check_tags
from collectors.rows.times import read_time, settled_time
from collectors.taps.asgi import (
    Receive,
    Scope,
    Send,
    answer,
    answer_error,
    as_rejected,
    header_map,
    kept_headers,
    read_body,
)
from collectors.taps.aside import Aside
from collectors.taps.hints import ENCODING, JSON_LENGTH, hints
from core.config import Limits
from core.errors import Overloaded, Rejected
from core.metrics import Metrics
from core.records import DeadLetter, Half
from core.tracing import span, trace_id

SOURCE = "events"
_LIMITS = Limits()


class EventsTap:
    """Answers 200 with an empty body: KServe's logger takes any other status for an error."""

    def __init__(self, into: Into, limits: Limits, metrics: Metrics, clock: Callable[[], int]) -> None:
        self._collector, self._journal = into
        self._limits, self._clock, self._aside = limits, clock, Aside(limits)
        self._events = {name: metrics.events.labels(SOURCE, name) for name in ("accepted", "rejected", "shed", "error")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_map(scope)
        body = b""
        try:
            body = await read_body(receive, headers, self._limits.body_bytes)
            with span("receive", headers, tap=SOURCE):
                read = await self._aside.run(self._aside.weight(headers, body), self._read, headers, body)
                if read.halves:
                    await self._take(read)
            await answer(send, 200)
        except Overloaded as error:
            self._events["shed"].inc()
            await answer_error(send, error)
        except Exception as failure:
            rejected = as_rejected(failure)
            self._refuse(rejected, headers, body)
            await answer_error(send, rejected)

    async def _take(self, read: "_Read") -> None:
        with await self._journal.append(read.frame):
            for half in read.halves:
                self._collector.half(half)
        self._events["accepted"].inc(len(read.halves))

    def _read(self, headers: Mapping[str, str], body: bytes) -> "_Read":
        """All events of one call. Of several, one that cannot be read costs only itself."""
        self._collector.check_room()
        events = read(headers, body, self._limits)
        halves = [self._half(events[0], headers)] if len(events) == 1 else self._readable(events, headers, body)
        return _Read(halves, halves_frame(halves))

    def _readable(self, events: list[Event | Rejected], headers: Mapping[str, str], body: bytes) -> list[Half]:
        halves = []
        for event in events:
            kept = event.data if isinstance(event, Event) else body
            try:
                halves.append(self._half(event, headers))
            except Exception as error:
                self._refuse(as_rejected(error), headers, kept)
                body = body if isinstance(event, Event) else b""  # kept once; the letters say which event of it
        return halves

    def _half(self, event: Event | Rejected, headers: Mapping[str, str]) -> Half:
        if isinstance(event, Rejected):
            raise event
        return half_of(event, headers, self._clock(), self._limits)

    def _refuse(self, error: Rejected, headers: Mapping[str, str], body: bytes) -> None:
        self._events["error" if error.status >= 500 else "rejected"].inc()
        kept = kept_headers(headers)
        self._collector.dead_letter(
            DeadLetter(self._clock(), SOURCE, error.code, error.detail, error.field, body, headers=kept)
        )


class _Read(NamedTuple):
    halves: list[Half]
    frame: bytes


def half_of(event: Event, headers: Mapping[str, str], received: int, limits: Limits = _LIMITS) -> Half:
    """The half an event carries; Rejected when its type, its identity or its payload cannot be read."""
    kind, key = half_kind(event.type), identity(event)
    metadata = tags(event)
    check_names(key, limits, "ce-id")
    check_tags(metadata, limits)
    length = headers.get(JSON_LENGTH) or dict(metadata).get(JSON_LENGTH, "")
    said = {"content-type": event.content_type, JSON_LENGTH: length, **_encoding(headers)}
    payload = decode(event.data, kind, hints(said, limits))
    sent = read_time(event.time_text or None, received)
    time, original = settled_time(sent, received)
    return Half(
        key,
        kind,
        payload,
        time,
        received,
        SOURCE,
        status(event),
        payload.error,
        trace_id=trace_id(event.traceparent),
        tags=(*metadata, *original),
        headers=tuple(said.items()),
        body=event.data,
    )


def _encoding(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The payload's own, which is not that of the event around it."""
    own = ENCODING in headers and not headers.get("content-type", "").startswith("application/cloudevents")
    return {ENCODING: headers[ENCODING]} if own else {}


def decoded_again(half: Half, limits: Limits = _LIMITS) -> Half:
    """A half that comes back from the store, with its payload."""
    return half._replace(payload=decode(half.body, half.kind, hints(dict(half.headers), limits)))
