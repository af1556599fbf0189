"""`core.protocols.Journal` over the write-ahead log, and where that lies."""

from collections.abc import Awaitable, Iterator
from pathlib import Path

from core.config import Config
from core.errors import ConfigError
from core.protocols import Position
from storage import wal
from storage.wal import AsyncLog, Log, Settings

OVERHEAD_BYTES = 64 << 20  # in a frame beside its bodies: headers of many events, or rows that take more as columns


def open_log(store: str, config: Config) -> Log:
    """The log of what is accepted for the store at the URL. A segment holds both bodies of an exchange and more.

    ConfigError when another process has its folder, or when it is too small.
    """
    wal, segment_bytes = config.wal, 2 * config.limits.body_bytes + OVERHEAD_BYTES
    if wal.bytes < 2 * segment_bytes:
        raise ConfigError(f"wal.bytes must be at least {2 * segment_bytes}, or limits.body_bytes smaller")
    return Log(_folder(store, wal.dir), Settings(segment_bytes, wal.bytes, wal.fsync))


def _folder(store: str, given: str | None) -> Path:
    embedded = store.partition("chdb://")[2]
    beside = f"{Path(embedded).absolute()}-wal" if embedded else "tidemark-wal"
    return Path(given or beside)


class StoreJournal:
    """`append` is for one event loop, `trim` for one thread."""

    def __init__(self, log: Log) -> None:
        self._log, self._appending = log, AsyncLog(log)
        self.limit_bytes = log.most_bytes

    @property
    def identity(self) -> str:
        return self._log.identity

    @property
    def waiting_bytes(self) -> int:
        return self._log.waiting_bytes

    @property
    def newest(self) -> Position:
        return self._log.newest

    @property
    def trimmed(self) -> Position:
        return self._log.trimmed

    @property
    def note(self) -> bytes:
        return self._log.note

    def append(self, frame: bytes) -> Awaitable[Position]:
        return self._appending.append(frame)

    def read(self, after: Position) -> Iterator[tuple[Position, bytes]]:
        return iter(self._log.read(wal.Position(*after)))

    def trim(self, position: Position, note: bytes) -> None:
        self._log.trim(wal.Position(*position), note)
