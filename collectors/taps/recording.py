"""One proxied call as a stored prediction: decoded, named, and handed to the collector."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

from collectors.collector import Into
from collectors.exchanges import Exchange
from collectors.formats import decode, error_text
from collectors.formats.encodings import unzip
from collectors.journal import exchange_frame
from collectors.lengths import check_name
from collectors.taps.asgi import kept_headers
from collectors.taps.aside import Aside
from collectors.taps.hints import ENCODING, hints, kept_hints
from collectors.taps.passed import Copy, Passed
from core.config import Limits, TapConfig
from core.errors import Overloaded, Rejected
from core.metrics import Metrics
from core.records import DeadLetter, Half, HalfKind, ModelKey, Payload, RequestKey
from core.tracing import trace_id

KINDS: tuple[HalfKind, HalfKind] = ("request", "response")


@dataclass(frozen=True)
class Call:
    """A call as it went by. `received` is microseconds since 1970, `seconds` how long the answer took.

    `error` says why there was no whole answer, '' when there was.
    """

    headers: Mapping[str, str]
    passed: Passed
    received: int
    seconds: float
    error: str = ""

    def copy(self, kind: HalfKind) -> Copy:
        return self.passed.request if kind == "request" else self.passed.response

    def body(self, kind: HalfKind) -> bytes:
        return self.copy(kind).body

    def headers_of(self, kind: HalfKind) -> Mapping[str, str]:
        return self.headers if kind == "request" else self.passed.headers


class Recorder:
    def __init__(self, into: Into, metrics: Metrics, limits: Limits) -> None:
        self._collector, self._journal = into
        self._metrics, self._limits, self._aside = metrics, limits, Aside(limits)

    async def record(self, tap: TapConfig, model: ModelKey, version: str, call: Call) -> None:
        """Store the inference, failed ones too; what cannot be decoded is a dead letter."""
        try:
            self._collector.check_room()
            weight = sum(self._aside.weight(call.headers_of(kind), call.body(kind)) for kind in KINDS)
            read = await self._aside.run(weight, self._read, tap, model, version, call)
            if read:
                with await self._journal.append(read.frame):
                    self._collector.exchange(read.exchange)
            self._metrics.events.labels(tap.name, "accepted").inc()
        except Overloaded:
            self._metrics.events.labels(tap.name, "shed").inc()

    def _read(self, tap: TapConfig, model: ModelKey, version: str, call: Call) -> "_Read | None":
        """None with both bodies in a protocol that nobody here knows: the dead letters say so."""
        request = self._decoded(tap, model, "request", call)
        response = self._decoded(tap, model, "response", call) if _succeeded(call) else self._failed(call)
        if request is None and response is None:
            return None
        exchange = _exchange(tap, model, version, call, (request, response))
        return _Read(exchange, exchange_frame(exchange))

    def _failed(self, call: Call) -> Payload:
        """What the upstream said instead of an answer."""
        body = call.body("response")
        with suppress(Rejected):
            body = unzip(body, self._limits.body_bytes, call.passed.headers.get(ENCODING, ""))
        return Payload((), error=error_text(body))

    def _decoded(self, tap: TapConfig, model: ModelKey, kind: HalfKind, call: Call) -> Payload | None:
        """One body of the call; None when it cannot be read, which leaves a dead letter."""
        body, headers = call.body(kind), call.headers_of(kind)
        try:
            if not call.copy(kind).ended:
                raise Rejected(400, "disconnected", f"the {kind} broke off after {len(body)} bytes")
            check_name(model.model, self._limits, "model")
            return decode(body, kind, hints(headers, self._limits, model.model))
        except Rejected as error:
            why = (error.code, error.detail, error.field)
            letter = DeadLetter(call.received, tap.name, *why, body, *model, headers=kept_headers(headers))
            self._collector.dead_letter(letter)
            return None


class _Read(NamedTuple):
    exchange: Exchange
    frame: bytes


def _exchange(
    tap: TapConfig, model: ModelKey, version: str, call: Call, payloads: tuple[Payload | None, Payload | None]
) -> Exchange:
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
