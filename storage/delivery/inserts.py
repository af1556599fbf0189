"""Inserts that are stored once in effect, whatever became of the answer."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from secrets import randbits
from threading import Lock
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from core.days import by_day
from core.errors import StoreError, StoreUnavailable
from storage.engine import Engine
from storage.engines.faults import blames_rows

ROWS_PER_INSERT = 100_000
BYTES_PER_INSERT = 64 << 20  # far below what the engine would split into blocks, and what a server takes as one body
INSERTS_AT_ONCE = 2  # one keeps one core busy: two take 530 k rows/s on two cores, one 280 k
MOST_DOUBTFUL = 10_000  # inserts; of a day each, there is room for every day that `time` may have
_TIME = "DateTime64(6, 'UTC')"

log = logging.getLogger("tidemark.store")


class Target(NamedTuple):
    """A table with the columns `batch` and `received`, partitioned by the day of the column `day`, '' = not at all.

    `name` is the column, if any, whose texts name each row for all time: the same rows are then the same insert
    wherever they come from.
    """

    table: str
    day: str = ""
    name: str = ""

    def new_batch(self, rows: pa.RecordBatch) -> int:
        if not self.name:
            return randbits(64)
        names = "".join(rows.column(self.name).to_pylist())
        return int.from_bytes(blake2b(names.encode(), digest_size=8).digest(), "little")


class Inserts:
    """One insert is of one partition, and so one block, one part and one token; each row carries its `batch`.

    A token is drawn at random for each insert of rows without names, and used again only when that insert is tried
    again, which is told by its rows. So no insert can be taken for another and be discarded, and none is stored twice.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(INSERTS_AT_ONCE, "insert")
        self._doubtful = Doubtful()

    def store(self, target: Target, rows: pa.RecordBatch) -> None:
        """StoreUnavailable: not everything is known to be stored, and the same call may go on where this one ended.

        StoreError: some of its inserts were refused for their rows; all others are stored.
        """
        call = _Call()
        list(self._threads.map(partial(self._store, call, target), _inserts(rows, target.day)))
        if failures := call.unavailable or call.refused:
            self._doubtful.remember(call.tried)
            raise failures[0]

    def _store(self, call: "_Call", target: Target, rows: pa.RecordBatch) -> None:
        if call.unavailable:  # each further try may cost a timeout
            return
        known = self._doubtful.take(rows)
        batch = target.new_batch(rows) if known is None else known
        try:
            if known is None or not self._is_there(target, rows, known):
                self._insert(target, rows, batch)
        except StoreUnavailable as error:
            call.unavailable.append(error)
        except Exception as error:
            call.refused.append(error)
            return
        call.tried.append((rows, batch))

    def _insert(self, target: Target, rows: pa.RecordBatch, batch: int) -> None:
        column = pa.repeat(pa.scalar(batch, pa.uint64()), len(rows))
        insert(self._engine, target.table, rows.append_column("batch", column), f"{batch:016x}")

    def _is_there(self, target: Target, rows: pa.RecordBatch, batch: int) -> bool:
        """Rows that another insert has replaced meanwhile are missing, and the insert is tried again: they collapse."""
        conditions, params = ["batch = {batch:UInt64}"], {"batch": batch}
        for column in {target.day or "received", "received"}:
            conditions.append(f"{column} BETWEEN {{first_{column}:{_TIME}}} AND {{last_{column}:{_TIME}}}")
            found = pc.min_max(rows.column(column))
            params |= {f"first_{column}": found["min"].as_py(), f"last_{column}": found["max"].as_py()}
        sql = f"SELECT count() AS n FROM {target.table} WHERE {' AND '.join(conditions)}"
        stored = int(self._engine.rows(sql, params)[0]["n"])
        log.info("%s: of %d rows whose insert had no answer %d are stored", target.table, len(rows), stored)
        return stored >= len(rows)


def insert(engine: Engine, table: str, data: pa.Table | pa.RecordBatch, token: str = "") -> None:
    """One insert. StoreError says that the rows are at fault; whatever else is wrong is StoreUnavailable.

    A store that takes nothing at all, for want of a table, a right or a password, must never cost the rows.
    """
    try:
        engine.insert(table, data, token)
    except StoreUnavailable:
        raise
    except StoreError as error:
        if blames_rows(error):
            raise
        log.error("%s takes no inserts until the store is put right; they are kept and tried again: %s", table, error)
        raise StoreUnavailable(f"{table}: {error}", error.code) from error
    except (OSError, MemoryError) as error:
        raise StoreUnavailable(f"{table}: {type(error).__name__}: {error}") from error


class Doubtful:
    """The batches of inserts that may or may not be stored, by their rows. The oldest beyond `most` are forgotten."""

    def __init__(self, most: int = MOST_DOUBTFUL) -> None:
        self._most = most
        self._batches: dict[bytes, int] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._batches)

    def remember(self, tried: list[tuple[pa.RecordBatch, int]]) -> None:
        found = {_digest(rows): batch for rows, batch in tried}
        with self._lock:
            self._batches |= found
            while len(self._batches) > self._most:
                del self._batches[next(iter(self._batches))]

    def take(self, rows: pa.RecordBatch) -> int | None:
        """The batch under which exactly these rows were tried before; then it is forgotten."""
        if not self._batches:
            return None
        digest = _digest(rows)
        with self._lock:
            return self._batches.pop(digest, None)


@dataclass(frozen=True)
class _Call:
    """What became of the inserts of one call; `tried` are those that may be stored."""

    tried: list[tuple[pa.RecordBatch, int]] = field(default_factory=list)
    unavailable: list[StoreUnavailable] = field(default_factory=list)
    refused: list[Exception] = field(default_factory=list)


def _inserts(rows: pa.RecordBatch, day: str) -> Iterator[pa.RecordBatch]:
    for part in by_day(rows, day) if day else (rows,):
        step = max(1, min(ROWS_PER_INSERT, len(part) * BYTES_PER_INSERT // max(1, part.nbytes)))
        for start in range(0, len(part), step):
            yield part.slice(start, step)


def _digest(rows: pa.RecordBatch) -> bytes:
    """Of every column but the maps of features: `content` stands for those, and they are most of the bytes."""
    digest = blake2b(digest_size=16)
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if not name.startswith(("inputs_", "outputs_")):
            for buffer in pa.concat_arrays([column]).buffers():
                digest.update(buffer or b"")
    return digest.digest()
