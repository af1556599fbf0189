"""POST / and /events: CloudEvents with one request or response each, paired by id whenever the other half comes."""

from collections.abc import Mapping
from typing import NamedTuple

from collectors.accepting.into import Frames
from collectors.accepting.items import Halves, Item, Letters
from collectors.accepting.journal import frames_of
from collectors.accounting.receipts import Receipt
from collectors.building.lengths import check_names, check_tags
from collectors.cloudevents.events import Event, half_kind, identity, read, status, tags
from collectors.formats import decode
from collectors.rows.times import read_time, settled_time
from collectors.taps.asgi import (
    Receive,
    Scope,
    Send,
    answer_empty,
    answer_error,
    header_map,
    read_body,
)
from collectors.taps.aside import Aside
from collectors.taps.hints import ENCODING, JSON_LENGTH, hints
from collectors.taps.letters import Sent, event_alone, refused, whose_event
from collectors.taps.ports import Ports
from core.access import Namespaces, namespaces
from core.config import Limits
from core.errors import Overloaded, Rejected
from core.records import DeadLetter, Half
from core.tracing import span, trace_id

SOURCE = "events"
PATH = "/events"
_LIMITS = Limits()


class EventsTap:
    """Answers 200 with an empty body: KServe's logger takes any other status for an error."""

    def __init__(self, ports: Ports) -> None:
        self._into, self._receipts, self._masks = ports.into, ports.receipts, ports.masks
        self._limits, self._clock, self._aside = ports.limits, ports.clock, Aside(ports.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, receipt = header_map(scope), self._receipts.begin()
        body = b""
        try:
            body = await read_body(receive, headers, self._limits.body_bytes)
            with span("receive", headers, quotes_errors=not self._masks.on, tap=SOURCE):
                said = headers, body, namespaces(scope)
                read = await self._aside.run(self._aside.weight(headers, body), self._read, *said)
                await self._take(read, receipt)
            await answer_empty(send)
        except Overloaded as error:
            receipt.rest("shed")
            await answer_error(send, error)
        except Exception as failure:
            rejected = self._masks.error(failure)
            receipt.rest("error" if rejected.status >= 500 else "rejected")
            await self._into.bury([self._letter(rejected, headers, body)])
            await answer_error(send, rejected)
        finally:
            receipt.close()

    async def _take(self, read: "_Read", receipt: Receipt) -> None:
        receipt.holds(len(read.halves) + len(read.letters))
        await self._into.accept(read.frames, receipt)
        if read.letters:
            receipt.rest("rejected")

    def _read(self, headers: Mapping[str, str], body: bytes, allowed: Namespaces) -> "_Read":
        """All events of one call. Of several, one that cannot be read costs only itself."""
        events = read(headers, body, self._limits)
        if len(events) == 1:
            halves, letters = [self._half(events[0], headers, allowed)], list[DeadLetter]()
        else:
            halves, letters = self._readable(events, headers, body, allowed)
        items: list[Item] = [Halves(halves)] if halves else []
        items += [Letters(letters)] if letters else []
        return _Read(halves, letters, [framed for item in items for framed in frames_of(item)])

    def _readable(
        self, events: list[Event | Rejected], headers: Mapping[str, str], body: bytes, allowed: Namespaces
    ) -> tuple[list[Half], list[DeadLetter]]:
        halves, letters = [], []
        for event in events:
            try:
                halves.append(self._half(event, headers, allowed))
            except Exception as error:
                if isinstance(event, Event):
                    letter = self._letter(self._masks.error(error), event_alone(event, headers), event.data)
                else:
                    letter = self._letter(self._masks.error(error), headers, body)
                    body = b""  # kept once; the letters say which event of it
                letters.append(letter.cut())
        return halves, letters

    def _half(self, event: Event | Rejected, headers: Mapping[str, str], allowed: Namespaces) -> Half:
        if isinstance(event, Rejected):
            raise event
        half = half_of(event, headers, self._clock(), self._limits)
        allowed.check(half.key.namespace, "ce-namespace")
        return self._masks.half(half)

    def _letter(self, error: Rejected, headers: Mapping[str, str], body: bytes) -> DeadLetter:
        sent = Sent(self._clock(), SOURCE, PATH, headers, body)
        return self._masks.letter(refused(sent, error, whose_event(headers, body)))


class _Read(NamedTuple):
    halves: list[Half]
    letters: list[DeadLetter]
    frames: Frames


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
