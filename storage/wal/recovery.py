"""Bytes of the log that are no frames: kept in files until a person deletes them, passed over, never in the way.

`.torn` is the end of the log as a crash left it, in general of frames that nobody was told are safe. `.damaged` is
anything else, and a reason to look at the disk.
"""

import logging
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Literal, NamedTuple

from storage.wal.folder import Segment, replace_durably, segments
from storage.wal.frames import Damage, Extent, read_at, scan

_CHUNK_BYTES = 1 << 20

log = logging.getLogger("tidemark.wal")

Kind = Literal["torn", "damaged"]


class Kept(NamedTuple):
    stretches: int = 0
    bytes: int = 0


class Quarantine:
    """What lies in the folder counts on, over restarts; a stretch that is read again is not counted again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = {path.name: path.stat().st_size for path in folder.glob("*")}

    def keep(self, kind: Kind, file: FileIO, segment: int, damage: Damage) -> bool:
        """Copy the stretch; False when the disk takes no copy. It is counted and reported either way."""
        name = f"{segment:010}-{damage.start}-{damage.end}.{kind}"
        if name in self._known:
            return True
        self._known[name] = damage.end - damage.start
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            replace_durably(self._folder / name, _chunks(file, damage))
        except OSError as error:
            log.error("%s bytes of the log could not be kept: %s", kind, error, extra={"stretch": name})
            return False
        log.warning("%s bytes of the log are in quarantine", kind, extra={"file": str(self._folder / name)})
        return True

    def kept(self, kind: Kind) -> Kept:
        sizes = [size for name, size in list(self._known.items()) if name.endswith(f".{kind}")]
        return Kept(len(sizes), sum(sizes))


def recover(folder: Path, quarantine: Quarantine) -> list[Segment]:
    """Every segment, oldest first; the newest ends with its last whole frame. Damage before that is for readers."""
    found = segments(folder)
    if found:
        _cut_torn_tail(found[-1], quarantine)
    return found


def _cut_torn_tail(segment: Segment, quarantine: Quarantine) -> None:
    """What follows the last whole frame is kept in quarantine, unless it is all zeros.

    What a killed process wrote is fsynced: from now on it is read and acted on.
    """
    extent = segment.extent()
    with extent.file as file:
        tail = _torn_tail(extent)
        segment.end = tail.start
        blank = not any(chunk.strip(b"\0") for chunk in _chunks(file, tail))
        kept = blank or quarantine.keep("torn", file, segment.number, tail)
    try:
        with segment.path.open("rb+") as end:
            if kept:
                end.truncate(tail.start)
            os.fsync(end.fileno())
    except OSError as error:
        log.error("the end of the log cannot be written: %s", error, extra={"file": str(segment.path)})


def _torn_tail(extent: Extent) -> Damage:
    """What follows the last whole frame; empty after a clean end."""
    tail = None
    for found in scan(extent):
        tail = found if isinstance(found, Damage) else None
    return tail or Damage(extent.end, extent.end)


def _chunks(file: FileIO, damage: Damage) -> Iterator[bytes]:
    for offset in range(damage.start, damage.end, _CHUNK_BYTES):
        yield read_at(file, min(_CHUNK_BYTES, damage.end - offset), offset)
