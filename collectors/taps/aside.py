"""Large bodies are decoded in threads, so that the event loop goes on answering, and only so many at a time.

JSON takes up to twenty times its bytes while it is looked at: what is decoded at one time is bounded by its bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from collectors.formats.encodings import is_packed
from collectors.taps.hints import ENCODING
from core.config import Limits

P = ParamSpec("P")
T = TypeVar("T")

THREAD_BYTES = 256 * 1024  # a body above this is decoded in a thread
_PACKED_AS_BASE64 = (b"H4sI", b"KLUv")  # how gzip and zstd begin inside an event


class Aside:
    """For one tap: at most `limits.body_bytes` are decoded at a time, in the order they came."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.body_bytes
        self._used = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Condition()

    def weight(self, headers: Mapping[str, str], body: bytes) -> int:
        """What a body counts for: a packed one for as much as it may unpack to."""
        content_type = headers.get("content-type", "")
        packed = is_packed(body) or ENCODING in headers
        if not packed and content_type.startswith("application/cloudevents"):
            packed = any(mark in body for mark in _PACKED_AS_BASE64)
        return self._most if packed else len(body)

    async def run(self, weight: int, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What `work` returns, called here or, for a large `weight`, in a thread once there is room."""
        if weight <= THREAD_BYTES:
            return work(*args, **named)
        async with self._room(min(weight, self._most)):
            return await asyncio.to_thread(work, *args, **named)

    @asynccontextmanager
    async def _room(self, weight: int) -> AsyncIterator[None]:
        async with self._turn, self._freed:
            await self._freed.wait_for(lambda: self._used + weight <= self._most)
            self._used += weight
        try:
            yield
        finally:
            async with self._freed:
                self._used -= weight
                self._freed.notify_all()
