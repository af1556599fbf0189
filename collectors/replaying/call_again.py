"""A refused call made once more at its own tap, inside this process, as of the time it was received."""

from collections.abc import Awaitable, Callable, Sequence

import orjson

from collectors.accepting.into import Frames, Into
from collectors.accepting.items import Letters
from collectors.accounting.receipts import Receipt
from collectors.collector import Accepted
from collectors.rows.scalars import ids_from
from collectors.taps.asgi import Message, Receive, Scope, Send
from core.errors import Overloaded, Rejected
from core.records import DeadLetter

# Makes the tap of a path: it brings what it accepts into the first, and takes the second for the time.
MakeTap = Callable[[Into, Callable[[], int]], Callable[[Scope, Receive, Send], Awaitable[None]]]


async def call_again(letter: DeadLetter, make_tap: MakeTap, into: Into) -> list[DeadLetter]:
    """The parts of the call that are refused once more, while others were taken.

    Rejected when nothing was taken, Overloaded when nothing can be for now. New ids follow from the letter, so that the
    call made twice stores the same once.
    """
    path, _, query = letter.path.partition("?")
    heard, answer = _Overheard(into), _Answer()
    tap = make_tap(heard, lambda: letter.received)
    with ids_from(letter.letter):
        await tap(_scope(path, query, letter), _receive(letter.body), answer)
    if answer.status // 100 != 2 or (heard.refused and not heard.taken):
        raise answer.error(heard.refused)
    return heard.refused


class _Overheard:
    """What one replay brings in: what is refused is listened to, and not yet a letter."""

    def __init__(self, into: Into) -> None:
        self._into = into
        self.refused: list[DeadLetter] = []
        self.taken = 0

    async def accept(
        self, frames: Frames, receipt: Receipt | None = None, known: Callable[[], Awaitable[None]] | None = None
    ) -> Accepted:
        good = [(item, frame) for item, frame in frames if not isinstance(item, Letters)]
        await self.bury([x for item, _ in frames if isinstance(item, Letters) for x in item.letters])
        self.taken += len(good)
        return await self._into.accept(good, receipt, known)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        self.refused += letters


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
