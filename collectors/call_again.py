"""A refused call made once more at its own tap, inside this process, as of the time it was received."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import orjson
import pyarrow as pa

from collectors.collector import Collector, Into
from collectors.rows.scalars import ids_from
from collectors.taps.asgi import Message, Receive, Scope, Send
from core.errors import Overloaded, Rejected
from core.records import DeadLetter, Half

# Makes the tap of a path: it brings what it accepts into the first, and takes the second for the time.
MakeTap = Callable[[Into, Callable[[], int]], Callable[[Scope, Receive, Send], Awaitable[None]]]


async def call_again(letter: DeadLetter, make_tap: MakeTap, into: Into) -> list[DeadLetter]:
    """The parts of the call that are refused once more, while others were taken.

    Rejected when nothing was taken, Overloaded when nothing can be for now. New ids follow from the letter, so that the
    call made twice stores the same once.
    """
    path, _, query = letter.path.partition("?")
    heard, answer = _Overheard(into.collector), _Answer()
    tap = make_tap(Into(cast(Collector, heard), into.journal), lambda: letter.received)
    with ids_from(letter.letter):
        await tap(_scope(path, query, letter), _receive(letter.body), answer)
    if answer.status // 100 != 2 or (heard.refused and not heard.taken):
        raise answer.error(heard.refused)
    return heard.refused


class _Overheard:
    """The collector as one replay sees it: what is refused is listened to, and not yet a letter."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self.refused: list[DeadLetter] = []
        self.taken = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collector, name)

    def dead_letter(self, letter: DeadLetter) -> None:
        self.refused.append(letter)

    def half(self, half: Half) -> None:
        self.taken += 1
        self._collector.half(half)

    def rows(self, batch: pa.RecordBatch, *fields_and_new: Any) -> Any:
        self.taken += len(batch)
        return self._collector.rows(batch, *fields_and_new)


class _Answer:
    """What a tap answers."""

    status = 0
    body = b""

    async def __call__(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")

    def error(self, refused: Sequence[DeadLetter]) -> Rejected | Overloaded:
        """As the tap raised it; of a call whose parts were refused one by one, the first."""
        status = self.status if self.status >= 400 else 422
        if status in (429, 503):
            return Overloaded(str(orjson.loads(self.body)["detail"]))
        if refused:
            return Rejected(status, refused[0].reason, refused[0].detail, refused[0].field)
        return Rejected(
            status, "internal", f"the tap answered {self.status}: {self.body[:200].decode('utf-8', 'replace')}"
        )


def _scope(path: str, query: str, letter: DeadLetter) -> Scope:
    sent = {**dict(letter.headers), "content-length": str(len(letter.body))}
    headers = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in sent.items()]
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1", "replace"),
        "headers": headers,
    }


def _receive(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    return receive
