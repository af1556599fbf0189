"""Group commit: one thread writes and fsyncs everything that was submitted while the last fsync ran."""

import errno
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.errors import Overloaded
from storage.wal.frames import HEADER, Position

GROUP_BYTES = 4 << 20  # a larger group is hardly faster, and its first frame waits longer
GROUP_FRAMES = os.sysconf("SC_IOV_MAX") // 2  # a frame is two buffers of one pwritev

Done = Callable[[Position | Exception], None]

log = logging.getLogger("tidemark.wal")


class Submitted(NamedTuple):
    frame: bytes
    done: Done

    @property
    def size(self) -> int:
        return HEADER.size + len(self.frame)


class Committer:
    """`admit` raises when so many bytes may not wait; `write` puts a group on disk, all of it or nothing."""

    def __init__(self, admit: Callable[[int], None], write: Callable[[Sequence[bytes]], list[Position]]) -> None:
        self._admit, self._write = admit, write
        self._queue: deque[Submitted] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self.waiting_bytes = 0
        self.failing = ""
        self._thread = threading.Thread(target=self._run, name="wal-committer", daemon=True)
        self._thread.start()

    def submit(self, frame: bytes, done: Done) -> None:
        submitted = Submitted(frame, done)
        with self._changed:
            if self._closing:
                raise Overloaded("the log is closed: the process is stopping")
            self._admit(self.waiting_bytes + submitted.size)
            self.waiting_bytes += submitted.size
            self._queue.append(submitted)
            self._changed.notify()

    def close(self) -> None:
        """Commit what was submitted, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            results = self._results(group)
            with self._changed:
                self.waiting_bytes -= sum(submitted.size for submitted in group)
            for submitted, result in zip(group, results, strict=True):
                _call(submitted.done, result)

    def _next_group(self) -> list[Submitted]:
        """Empty when the log is closed and all is written."""
        group: list[Submitted] = []
        size = 0
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            while self._queue and len(group) < GROUP_FRAMES:
                size += self._queue[0].size
                if group and size > GROUP_BYTES:
                    break
                group.append(self._queue.popleft())
        return group

    def _results(self, group: list[Submitted]) -> Sequence[Position | Exception]:
        try:
            positions = self._write([submitted.frame for submitted in group])
        except Exception as error:  # whatever it is: senders wait for an answer, and the thread must live
            self._report(error)
            return [Overloaded(self.failing) for _ in group]
        self.failing = ""
        return positions

    def _report(self, error: Exception) -> None:
        """Logged once, not for every group while the disk stays full. Senders see the reason, never a path."""
        if not self.failing:
            log.error("nothing can be accepted", exc_info=error)
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        self.failing = "the disk of the log is full" if full else f"the log cannot be written: {reason}"


def _call(done: Done, result: Position | Exception) -> None:
    try:
        done(result)
    except Exception:
        log.exception("the log could not tell that a frame is on disk")
