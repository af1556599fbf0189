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
    def __init__(self, guard: Guard, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._guard, self._refusal = guard, None
        self._in_head = False
        self._lines = self._bytes = self._unread_bytes = 0

    _refusal: Rejected | None

    def data_received(self, data: bytes) -> None:
        if self._refusal:
            return
        begun = self._in_head
        super().data_received(data)
        if begun and self._in_head and not self._refusal:
            self._unread_bytes += len(data)  # of a line that has not ended the parser says nothing
            if self._unread_bytes > self._guard.limits.header_bytes:
                self._refusal = self._too_large()
                self._refuse(self._refusal)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._lines = self._bytes = self._unread_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(0, len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(1, len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._refusal:
            self._refuse(self._refusal)
        else:
            super().send_400_response(msg)

    def _count(self, lines: int, size: int) -> None:
        limits = self._guard.limits
        self._lines, self._bytes = self._lines + lines, self._bytes + size
        if self._lines > limits.headers:
            detail = f"over {limits.headers} headers (limits.headers)"
            self._refusal = Rejected(431, "too_many_headers", detail, "headers")
        elif self._bytes > limits.header_bytes:
            self._refusal = self._too_large()
        if self._refusal:
            raise _TooLong

    def _too_large(self) -> Rejected:
        most = self._guard.limits.header_bytes
        return Rejected(431, "headers_too_large", f"a head of over {most} bytes (limits.header_bytes)", "headers")

    def _refuse(self, refusal: Rejected) -> None:
        """Answer, unless an earlier answer is still under way, and read on for a while without looking."""
        self._guard.refused(refusal)
        if self.cycle and not self.cycle.response_complete:
            self.transport.close()
            return
        body = orjson.dumps(problem(refusal)[1])
        head = b"content-type: application/problem+json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(_STATUS_LINE + head + body)
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
