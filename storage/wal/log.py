"""The log itself: append, read in order, trim what is safe elsewhere."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from core.errors import ConfigError, Overloaded, Rejected
from storage.wal.committer import Committer, Done
from storage.wal.folder import Checkpoint, lock, read_checkpoint, write_checkpoint
from storage.wal.frames import HEADER, Damage, Frame, Position, scan
from storage.wal.recovery import Kept, Quarantine, recover
from storage.wal.segments import Segments

log = logging.getLogger("tidemark.wal")


@dataclass(frozen=True)
class Settings:
    """A frame is at most a segment, and at most a segment waits in memory. Without `fsync` power loss loses frames."""

    segment_bytes: int = 64 << 20
    most_bytes: int = 1 << 30
    fsync: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.segment_bytes <= 1 << 30:
            raise ConfigError("a segment of the log has 1 byte to 1 GiB")
        if self.most_bytes < 2 * self.segment_bytes:  # the newest segment stays, even when all of it is trimmed
            raise ConfigError(f"the log needs room for two segments: {2 * self.segment_bytes} bytes")


class Counters(NamedTuple):
    """`bytes` and the quarantine are what lies in the folder, the other numbers since the log was opened."""

    bytes: int
    waiting_bytes: int
    frames: int
    groups: int
    fsync_seconds: float
    trimmed: Position
    newest: Position
    damaged: Kept
    torn: Kept
    failing: str


class Log:
    """Frames, in the order they were appended, on disk before `append` returns. Threads may share it, processes not.

    `sync` makes a descriptor's data durable. ConfigError when another process has the folder.
    """

    def __init__(self, folder: Path, settings: Settings, sync: Callable[[int], None] = os.fdatasync) -> None:
        self._settings, self._folder = settings, folder
        self.most_bytes = settings.most_bytes
        self._held = lock(folder)
        self._trimming = threading.Lock()
        self._checkpoint = read_checkpoint(folder)
        self._quarantine = Quarantine(folder / "quarantine")
        found = recover(folder, self._quarantine)
        self._segments = Segments(folder, found, settings.segment_bytes, sync if settings.fsync else _no_sync)
        self._segments.drop(self._checkpoint.position)
        self._committer = Committer(self._admit, self._segments.write)

    @property
    def identity(self) -> str:
        """32 hex digits, drawn at random when the log was made."""
        return self._segments.identity

    def append(self, frame: bytes) -> Position:
        """Return once the frame is on disk. Raises as `submit` does, and Overloaded when the disk refuses."""
        future: Future[Position | Exception] = Future()
        self.submit(frame, future.set_result)
        result = future.result()
        if isinstance(result, Exception):
            raise result
        return result

    def submit(self, frame: bytes, done: Done) -> None:
        """Return at once; `done` is called from the log's thread with the position, or with Overloaded.

        Raises Overloaded when the log is full, behind or closed, Rejected for a frame that no segment can hold.
        """
        if HEADER.size + len(frame) > self._settings.segment_bytes:
            raise Rejected(413, "too_large", f"{len(frame)} bytes do not fit a segment of the log")
        self._committer.submit(frame, done)

    def read(self, after: Position | None = None) -> Iterator[Frame]:
        """The frames after a position, by default after the last trim, in order, until there are no more on disk.

        Damaged stretches are kept in quarantine and passed over.
        """
        trimmed = self._checkpoint.position
        position = trimmed if after is None else max(after, trimmed)
        while extent := self._segments.after(position):
            with extent.file as file:
                for found in scan(extent):
                    if isinstance(found, Damage):
                        self._quarantine.keep("damaged", file, extent.segment, found)
                    else:
                        yield found
            position = Position(extent.segment, extent.end)

    @property
    def trimmed(self) -> Position:
        return self._checkpoint.position

    @property
    def note(self) -> bytes:
        """What was noted at the last trim."""
        return self._checkpoint.note

    @property
    def newest(self) -> Position:
        """The end of the last frame on disk."""
        return max(self._checkpoint.position, self._segments.newest)

    @property
    def waiting_bytes(self) -> int:
        """What is in the log and not trimmed, or about to be in it."""
        return self._segments.bytes_after(self._checkpoint.position) + self._committer.waiting_bytes

    def trim(self, position: Position, note: bytes = b"") -> None:
        """Everything up to `position` is safe elsewhere: forget it, over restarts too. ValueError beyond the end.

        `note` is found again as `note` after a restart that finds this trim, and with it only.
        """
        with self._trimming:
            if position > self.newest:
                raise ValueError(f"{position} is not in the log yet")
            new = Checkpoint(max(position, self._checkpoint.position), note)
            if new == self._checkpoint:
                return
            self._checkpoint = new
            self._keep(new)

    def _keep(self, checkpoint: Checkpoint) -> None:
        """The note first, then away with what it stands for; on a full disk it needs the room of that."""
        try:
            try:
                write_checkpoint(self._folder, checkpoint)
            finally:
                self._segments.drop(checkpoint.position)
        except OSError:
            self._keep_late(checkpoint)

    def _keep_late(self, checkpoint: Checkpoint) -> None:
        try:
            write_checkpoint(self._folder, checkpoint)
        except OSError as error:
            log.warning("the log cannot be trimmed, a restart reads frames again: %s", error)

    def counters(self) -> Counters:
        segments, committer, quarantine = self._segments, self._committer, self._quarantine
        return Counters(
            bytes=segments.bytes,
            waiting_bytes=committer.waiting_bytes,
            frames=segments.frames,
            groups=segments.groups,
            fsync_seconds=segments.fsync_seconds,
            trimmed=self._checkpoint.position,
            newest=segments.newest,
            damaged=quarantine.kept("damaged"),
            torn=quarantine.kept("torn"),
            failing=committer.failing,
        )

    def close(self) -> None:
        """Commit what was submitted, then let go of the folder."""
        self._committer.close()
        self._segments.close()
        self._held.close()

    def _admit(self, waiting_bytes: int) -> None:
        if waiting_bytes > self._settings.segment_bytes:
            raise Overloaded("the log's disk does not keep up")
        if waiting_bytes + self._segments.bytes > self._settings.most_bytes:
            raise Overloaded(f"the log is full: {self._settings.most_bytes} bytes wait for the store")


def _no_sync(descriptor: int) -> None:
    """The operating system writes when it likes."""
