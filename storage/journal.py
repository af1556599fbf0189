"""`core.protocols.Journal` over the write-ahead log: what is stored is forgotten, never anything else."""

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from core.config import Config
from core.errors import ConfigError
from storage.wal import AsyncLog, Log, Position, Settings

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


class Entry:
    """A frame until what it holds is handed over: from when it is submitted it keeps the log from trimming."""

    __slots__ = ("_clock", "handed_over", "position")

    def __init__(self, clock: Callable[[], int], position: Position | None = None) -> None:
        self._clock, self.position = clock, position
        self.handed_over = 0

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Handed over, or never to be: nobody was told that a frame without position is on disk."""
        self.handed_over = self._clock()


class StoreJournal:
    """`append` is for one event loop, `stored` for one thread. `clock` gives microseconds since 1970."""

    def __init__(self, log: Log, clock: Callable[[], int]) -> None:
        self._log, self._appending, self._clock = log, AsyncLog(log), clock
        self._entries: deque[Entry] = deque()  # in the order of the log

    def left(self) -> Iterator[bytes]:
        """The frames that were not known to be stored when the process ended, before any is appended.

        One is handed over when the next is asked for.
        """
        for frame in self._log.read():
            with self._entry(frame.position):
                yield frame.payload

    async def append(self, frame: bytes) -> Entry:
        written = self._appending.append(frame)
        entry = Entry(self._clock)
        self._entries.append(entry)
        try:
            entry.position = await written
        except BaseException:
            entry.close()
            raise
        return entry

    def stored(self, before: int) -> None:
        position = None
        while self._entries and 0 < self._entries[0].handed_over < before:
            position = self._entries.popleft().position or position
        if position is not None:
            self._log.trim(position)

    def _entry(self, position: Position) -> Entry:
        entry = Entry(self._clock, position)
        self._entries.append(entry)
        return entry
