"""The log's files. Frames go to the end of the newest; a file that failed once is never written again.

Segments are not preallocated: an fsync of 64 KB takes 0.27 ms either way (0.18 ms into a file of zeros, which must be
written first), and without it a file holds only what was written.
"""

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from storage.wal.folder import Segment, sync_directory
from storage.wal.frames import HEADER, Extent, Position, header


class Segments:
    """`write` is for one thread, everything else for any. `found` is what the folder holds already, oldest first."""

    def __init__(self, folder: Path, found: list[Segment], segment_bytes: int, sync: Callable[[int], None]) -> None:
        self.identity = found[-1].identity if found else uuid4().hex
        self._folder, self._all, self._segment_bytes, self._sync = folder, found, segment_bytes, sync
        self._last_number = found[-1].number if found else 0
        self._descriptor: int | None = None
        self._lock = threading.Lock()
        self.bytes = sum(segment.end for segment in found)
        self.groups = self.frames = 0
        self.fsync_seconds = 0.0

    @property
    def newest(self) -> Position:
        with self._lock:
            return self._all[-1].last if self._all else Position(self._last_number, 0)

    def write(self, frames: Sequence[bytes]) -> list[Position]:
        """All of the frames on disk, or none and an exception. At most IOV_MAX / 2 of them, and a segment's bytes."""
        size = sum(HEADER.size + len(frame) for frame in frames)
        segment, descriptor = self._open_for(size)
        buffers, positions, offset, mark = [], [], segment.end, segment.mark
        for frame in frames:
            buffers += [header(mark, offset, frame), frame]
            offset += HEADER.size + len(frame)
            positions.append(Position(segment.number, offset))
        try:
            if os.pwritev(descriptor, buffers, segment.end) != size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            started = time.perf_counter()
            self._sync(descriptor)
        except Exception:
            self._give_up(segment)
            raise
        self._count(segment, frames, size, time.perf_counter() - started)
        return positions

    def after(self, position: Position) -> Extent | None:
        """What is on disk after the position, of one segment, its file open; None when there is nothing yet."""
        with self._lock:
            for segment in self._all:
                if segment.end and segment.last > position:
                    return segment.extent(position.offset if position.segment == segment.number else 0)
        return None

    def bytes_after(self, position: Position) -> int:
        """What a reader who is at the position has still to read."""
        with self._lock:
            left = [segment for segment in self._all if segment.last > position]
            read = position.offset if left and left[0].number == position.segment else 0
            return sum(segment.end for segment in left) - read

    def drop(self, position: Position) -> None:
        """Delete the segments that end at the position or before; the newest stays, it names the log."""
        with self._lock:
            self._last_number = max(self._last_number, position.segment)  # also of a segment that somebody deleted
            while len(self._all) > 1 and self._all[0].last <= position:
                self._all[0].path.unlink(missing_ok=True)
                self.bytes -= self._all.pop(0).end

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open_for(self, size: int) -> tuple[Segment, int]:
        if self._descriptor is not None and self._all[-1].end + size > self._segment_bytes:
            self.close()
        if self._descriptor is None:
            self._descriptor = self._create()
        return self._all[-1], self._descriptor

    def _create(self) -> int:
        with self._lock:
            self._last_number += 1
        segment = Segment(self._folder, self._last_number, self.identity, 0)
        descriptor = os.open(segment.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            sync_directory(self._folder)
        except OSError:
            os.close(descriptor)
            segment.path.unlink(missing_ok=True)
            raise
        with self._lock:
            given_up = self._all.pop() if self._all and self._all[-1].end == 0 else None
            self._all.append(segment)
        if given_up:
            with suppress(OSError):
                given_up.path.unlink()
        return descriptor

    def _give_up(self, segment: Segment) -> None:
        """After a failed fsync the next one succeeds although the pages are lost: never ask twice.

        An empty file becomes the newest: so `drop` can delete those before it, and make room on a full disk.
        Rebello et al., Can Applications Recover from fsync Failures?, USENIX ATC 2020.
        """
        with suppress(OSError):
            os.truncate(segment.path, segment.end)
        with suppress(OSError):
            self.close()
        if segment.end:
            with suppress(OSError):
                self._descriptor = self._create()

    def _count(self, segment: Segment, frames: Sequence[bytes], size: int, seconds: float) -> None:
        with self._lock:
            segment.end += size
            self.bytes += size
        self.groups += 1
        self.frames += len(frames)
        self.fsync_seconds += seconds
