"""HTTP requests whose head is too long, refused before anything is made of it.

httptools itself sets no limit: 100,000 headers, or one of a gigabyte, would be gathered in memory first.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collectors.taps.asgi import problem
from core.config import Limits
from core.errors import Rejected

LINGER_SECONDS = 2.0  # an answer is lost when the connection is closed on a client that is still sending
_LIMITS = Limits()
_STATUS_LINE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


def _unheard(refused: Rejected) -> None: ...


@dataclass(frozen=True)
class Guard:
    """`refused` hears of every head that was refused."""

    limits: Limits = _LIMITS
    refused: Callable[[Rejected], None] = _unheard

    def __call__(self, *args: Any, **named: Any) -> asyncio.Protocol:
        """The protocol of a new connection, as uvicorn makes it."""
        return _Guarded(self, *args, **named)


class _TooLong(Exception):
    """Stops the parser."""


class _Guarded(HttpToolsProtocol):
    """Looks at what comes in chunks, and only at the end of a head at the head itself: heads come by the thousand."""

    def __init__(self, guard: Guard, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._guard = guard
        self._refusal: Rejected | None = None
        self._in_head = False
        self._chunk_bytes = self._first_bytes = self._more_bytes = 0  # of the chunk a head began in, and of those after

    def data_received(self, data: bytes) -> None:
        if self._refusal:
            return
        self._chunk_bytes = len(data)
        if self._in_head:
            self._more_bytes += len(data)
        super().data_received(data)
        if self._refusal:
            return
        limits = self._guard.limits
        if self._in_head and self._more_bytes > limits.header_bytes:
            self._refuse(self._too_large())
        elif self.headers and not self._in_head and len(self.headers) > limits.headers:  # trailers of a chunked body
            self._refuse(self._too_many())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._first_bytes, self._more_bytes = self._chunk_bytes, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        limits = self._guard.limits
        if len(self.headers) > limits.headers:
            self._refusal = self._too_many()
        elif self._first_bytes + self._more_bytes > limits.header_bytes and self._head_bytes() > limits.header_bytes:
            self._refusal = self._too_large()
        if self._refusal:
            raise _TooLong
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._refusal:
            self._refuse(self._refusal)
        else:
            super().send_400_response(msg)

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _too_many(self) -> Rejected:
        detail = f"{len(self.headers)} headers; at most {self._guard.limits.headers} are taken (limits.headers)"
        return Rejected(431, "too_many_headers", detail, "headers")

    def _too_large(self) -> Rejected:
        most = self._guard.limits.header_bytes
        return Rejected(431, "headers_too_large", f"a head of over {most} bytes (limits.header_bytes)", "headers")

    def _refuse(self, refusal: Rejected) -> None:
        """Answer, unless an earlier answer is still under way, and read on for a while without looking."""
        self._refusal = refusal
        self._guard.refused(refusal)
        if self.cycle and not self.cycle.response_complete:
            self.transport.close()
            return
        body = orjson.dumps(problem(refusal)[1])
        head = b"content-type: application/problem+json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(_STATUS_LINE + head + body)
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
