"""A log's folder: one process at a time, a checkpoint, and one file for each segment.

The name of a segment holds its number and the identity of its log, so no single damaged file makes others unreadable.
"""

import fcntl
import logging
import os
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, NamedTuple

from core.errors import ConfigError
from storage.wal.frames import START, Extent, Position

_SEGMENT = re.compile(r"(\d{10,})-([0-9a-f]{32})\.wal")

log = logging.getLogger("tidemark.wal")


@dataclass
class Segment:
    """One file. Up to `end` it is frames on disk, and nobody reads beyond."""

    folder: Path
    number: int
    identity: str
    end: int

    @property
    def path(self) -> Path:
        return self.folder / f"{self.number:010}-{self.identity}.wal"

    @property
    def mark(self) -> bytes:
        """The 8 bytes before each frame; nobody can guess them who does not know the log's identity."""
        return blake2b(self.number.to_bytes(8, "little"), key=bytes.fromhex(self.identity), digest_size=8).digest()

    @property
    def last(self) -> Position:
        return Position(self.number, self.end)

    def extent(self, start: int = 0) -> Extent:
        return Extent(self.path.open("rb", buffering=0), self.number, self.mark, start, self.end)


def lock(folder: Path) -> IO[bytes]:
    """Make the folder and hold it until the returned file is closed; ConfigError when it is held already."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        sync_directory(folder.parent)
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ConfigError(
            f"the log in {folder} is in use: stop that process, or give this one its own wal.dir"
        ) from None
    return file


def segments(folder: Path) -> list[Segment]:
    """Every segment in the folder, oldest first."""
    found = ((_SEGMENT.fullmatch(path.name), path) for path in folder.iterdir())
    every = [Segment(folder, int(match[1]), match[2], path.stat().st_size) for match, path in found if match]
    return sorted(every, key=lambda segment: segment.number)


class Checkpoint(NamedTuple):
    """Where the log was last trimmed, and what its reader noted of what came before that."""

    position: Position = START
    note: bytes = b""


def read_checkpoint(folder: Path) -> Checkpoint:
    """Without a readable checkpoint frames are read again, none is lost."""
    try:
        line, _, note = (folder / "checkpoint").read_bytes().partition(b"\n")
        segment, offset, checksum = line.split()
        if checksum == _checksum(b"%b %b\n%b" % (segment, offset, note)):
            return Checkpoint(Position(int(segment), int(offset)), note)
    except FileNotFoundError:
        return Checkpoint()
    except (OSError, ValueError):
        pass
    log.warning("the checkpoint is damaged: the log is read from its oldest frame", extra={"folder": str(folder)})
    return Checkpoint()


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    place, note = b"%d %d" % checkpoint.position, checkpoint.note
    checksum = _checksum(b"%b\n%b" % (place, note))
    replace_durably(folder / "checkpoint", [b"%b %b\n%b" % (place, checksum, note)])


def replace_durably(path: Path, chunks: Iterable[bytes]) -> None:
    """After a crash the file is the old one or the new one, whole."""
    new = path.with_name(f"{path.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    """A new name in the folder survives a power loss only after this."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)
