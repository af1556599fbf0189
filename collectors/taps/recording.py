"""One proxied call as a stored prediction: decoded, named, and handed to the collector."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

from collectors.accepting.into import Frames, Into
from collectors.accepting.items import Called, Item, Letters
from collectors.accepting.journal import frames_of
from collectors.accounting.receipts import Receipt
from collectors.building.exchanges import Exchange
from collectors.building.lengths import check_name
from collectors.formats import decode, error_text
from collectors.formats.encodings import unzip
from collectors.masking.masks import NO_MASKS, Masks
from collectors.taps.asgi import kept_headers
from collectors.taps.aside import Aside
from collectors.taps.hints import ENCODING, hints, kept_hints
from collectors.taps.passed import Copy, Passed
from core.config import Limits, TapConfig
from core.errors import Overloaded, Rejected
from core.records import DeadLetter, Half, HalfKind, ModelKey, Payload, RequestKey
from core.tracing import trace_id

KINDS: tuple[HalfKind, HalfKind] = ("request", "response")


@dataclass(frozen=True)
class Call:
    """A call as it went by. `received` is microseconds since 1970, `seconds` how long the answer took.

    `error` says why there was no whole answer, '' when there was. `path` is the one at the tap, with its query.
    """

    headers: Mapping[str, str]
    passed: Passed
    received: int
    seconds: float
    error: str = ""
    path: str = ""

    def copy(self, kind: HalfKind) -> Copy:
        return self.passed.request if kind == "request" else self.passed.response

    def body(self, kind: HalfKind) -> bytes:
        return self.copy(kind).body

    def headers_of(self, kind: HalfKind) -> Mapping[str, str]:
        return self.headers if kind == "request" else self.passed.headers


class Recorded(NamedTuple):
    """A call to a model of a tap; `known` waits until the names of the model's fields are known."""

    tap: TapConfig
    model: ModelKey
    version: str
    call: Call
    known: Callable[[], Awaitable[None]]


class Recorder:
    def __init__(self, into: Into, limits: Limits, masks: Masks = NO_MASKS) -> None:
        self._into, self._limits, self.masks = into, limits, masks
        self._aside = Aside(limits)

    async def record(self, recorded: Recorded, receipt: Receipt) -> None:
        """Store the inference, failed ones too; what cannot be decoded is a dead letter."""
        try:
            if self.masks.on:
                await recorded.known()  # a rule goes by the names of fields
            call = recorded.call
            weight = sum(self._aside.weight(call.headers_of(kind), call.body(kind)) for kind in KINDS)
            read = await self._aside.run(weight, self._read, recorded)
            await self._into.accept(read, receipt, recorded.known)
            receipt.rest("rejected")  # what nobody here can read
        except Overloaded:
            receipt.rest("shed")

    def _read(self, recorded: Recorded) -> Frames:
        """With both bodies in a protocol that nobody here knows only letters."""
        letters: list[DeadLetter] = []
        request = self._decoded(recorded, "request", letters)
        answered = _succeeded(recorded.call)
        response = self._decoded(recorded, "response", letters) if answered else self._failed(recorded.call)
        called = self._called(recorded, (request, response), letters)
        items: list[Item] = [Letters(letters)] if letters else []
        return [framed for item in [*items, *called] for framed in frames_of(item)]

    def _failed(self, call: Call) -> Payload:
        """What the upstream said instead of an answer."""
        body = call.body("response")
        with suppress(Rejected):
            body = unzip(body, self._limits.body_bytes, call.passed.headers.get(ENCODING, ""))
        return Payload((), error=error_text(body))

    def _called(
        self, recorded: Recorded, payloads: tuple[Payload | None, Payload | None], letters: list[DeadLetter]
    ) -> list[Called]:
        if payloads == (None, None):
            return []
        try:
            return [Called(self.masks.exchange(_exchange(recorded, payloads)))]
        except Rejected as error:
            letters.append(self._letter(recorded, "request", error))
            return []

    def _decoded(self, recorded: Recorded, kind: HalfKind, letters: list[DeadLetter]) -> Payload | None:
        """One body of the call; None when it cannot be read, which leaves a dead letter."""
        model, call = recorded.model, recorded.call
        body, headers = call.body(kind), call.headers_of(kind)
        try:
            if not call.copy(kind).ended:
                raise Rejected(400, "disconnected", f"the {kind} broke off after {len(body)} bytes")
            check_name(model.model, self._limits, "model")
            return decode(body, kind, hints(headers, self._limits, model.model))
        except Rejected as error:
            letters.append(self._letter(recorded, kind, error))
            return None

    def _letter(self, recorded: Recorded, kind: HalfKind, error: Rejected) -> DeadLetter:
        call = recorded.call
        why = (error.code, error.detail, error.field, call.body(kind))
        kept = kept_headers(call.headers_of(kind))
        letter = DeadLetter(call.received, recorded.tap.name, *why, *recorded.model, headers=kept, path=call.path)
        return self.masks.letter(letter).cut()


def _exchange(recorded: Recorded, payloads: tuple[Payload | None, Payload | None]) -> Exchange:
    tap, model, version, call, _ = recorded
    request, response = payloads
    unread = "" if request and response else f"the {'response' if request else 'request'} could not be read"
    asked, said = request or Payload(()), response or Payload(())
    key = RequestKey(*model, call.headers.get("x-request-id") or asked.id or said.id or uuid4().hex)
    half = Half(
        key,
        "request",
        asked,
        call.received,
        call.received,
        tap.name,
        trace_id=trace_id(call.headers.get("traceparent", "")),
        tags=tuple((name, call.headers[name]) for name in map(str.lower, tap.tags) if name in call.headers),
        headers=kept_hints(call.headers),
        body=call.body("request"),
    )
    answered = half._replace(
        kind="response",
        payload=said._replace(version=said.version or version),
        status=call.passed.status,
        error=call.error or said.error or (unread if _succeeded(call) else ""),
        latency=call.seconds,
        tags=(),
        headers=kept_hints(call.passed.headers),
        body=call.body("response"),
    )
    return Exchange(half, answered)


def _succeeded(call: Call) -> bool:
    return call.passed.status // 100 == 2 and not call.error
