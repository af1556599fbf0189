"""The log for one event loop: a group of frames wakes the loop once, however many senders wait for it."""

import asyncio
from collections import deque
from functools import partial

from storage.wal.frames import Position
from storage.wal.log import Log


class AsyncLog:
    """For one loop, the one that runs at `append`. A frame whose sender stops waiting is logged all the same."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._results: deque[tuple[asyncio.Future[Position], Position | Exception]] = deque()
        self._woken = False

    def append(self, frame: bytes) -> asyncio.Future[Position]:
        """Done once the frame is on disk. Raises Overloaded and Rejected as `Log.submit` does, at once."""
        future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        self._log.submit(frame, partial(self._done, future))
        return future

    def _done(self, future: asyncio.Future[Position], result: Position | Exception) -> None:
        self._results.append((future, result))
        if not self._woken:
            self._woken = True
            future.get_loop().call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        self._woken = False  # before the queue is emptied: what comes later wakes the loop again
        while self._results:
            future, result = self._results.popleft()
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
