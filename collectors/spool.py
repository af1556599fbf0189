"""What was accepted and is not stored yet: bounded in bytes, stored in large inserts, kept on failure."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

import pyarrow as pa

from collectors.columns import concat
from core.errors import Overloaded, StoreUnavailable
from core.protocols import Sink
from core.records import DeadLetter
from core.tracing import span

ROWS_PER_INSERT = 200_000
LETTERS_PER_INSERT = 1_000
REFUSED_BYTES = 512 * 1024  # of refused rows in one letter: below core.records.LETTER_BYTES, where it would be cut

log = logging.getLogger("tidemark.collector")


@dataclass(frozen=True)
class Outcomes:
    """What the spool calls with each batch the sink has taken, and with the letters of each batch it refused."""

    stored: Callable[[pa.RecordBatch], None]
    refused: Callable[[DeadLetter, int], None]


class Spool:
    def __init__(self, sink: Sink, most_bytes: int, outcomes: Outcomes) -> None:
        self._sink, self._most_bytes, self._outcomes = sink, most_bytes, outcomes
        self._batches: list[pa.RecordBatch] = []
        self._letters: list[DeadLetter] = []
        self._bytes = self._rows = 0
        self._lock = Lock()
        # The insert under way and the bytes it stands for: tried again it must be the same, so that the store knows it.
        self._insert: tuple[pa.RecordBatch, int] | None = None

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def batches(self) -> list[pa.RecordBatch]:
        """What waits; for the thread that drains."""
        return [*([self._insert[0]] if self._insert else []), *self._batches]

    def check_room(self, more_bytes: int = 0) -> None:
        """Overloaded when the store has been slow or away for so long that nothing more fits."""
        if self._bytes + more_bytes >= self._most_bytes:
            raise Overloaded("the store does not keep up and the spool is full")

    def add(self, batch: pa.RecordBatch) -> None:
        with self._lock:
            self._batches.append(batch)
            self._rows += len(batch)
            self._bytes += batch.nbytes

    def add_letter(self, letter: DeadLetter) -> None:
        with self._lock:
            self._letters.append(letter)
            self._bytes += len(letter.body)

    def drain(self) -> None:
        """Store everything. StoreUnavailable keeps what is not stored; rows the store refuses become letters."""
        while insert := self._next_insert():
            batch, size = insert
            try:
                self._store(batch)
            except StoreUnavailable:
                raise
            except Exception as error:
                log.error("the store refused %d rows, which go to dead_letters: %s", len(batch), error)
                for letter, rows in _letters(batch, error):
                    self._outcomes.refused(letter, rows)
            self._insert = None
            with self._lock:
                self._rows -= len(batch)
                self._bytes -= size
        self._drain_letters()

    def _next_insert(self) -> tuple[pa.RecordBatch, int] | None:
        with self._lock:
            batches = self._batches[: self._fitting()] if self._insert is None else []
            del self._batches[: len(batches)]
        if batches:
            self._insert = concat(batches), sum(batch.nbytes for batch in batches)
        return self._insert

    def _fitting(self) -> int:
        """How many batches make the next insert: as many as fit, at least one."""
        rows = 0
        for count, batch in enumerate(self._batches):
            rows += len(batch)
            if count and rows > ROWS_PER_INSERT:
                return count
        return len(self._batches)

    def _store(self, batch: pa.RecordBatch) -> None:
        traces = batch.column("trace_id").unique().to_pylist()
        with span("store", links=traces, rows=len(batch)):
            self._sink.store(batch)
        self._outcomes.stored(batch)

    def _drain_letters(self) -> None:
        while letters := self._letters[:LETTERS_PER_INSERT]:
            try:
                self._sink.store_dead_letters(letters)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("%d dead letters could not be stored and are lost", len(letters))
            with self._lock:
                del self._letters[: len(letters)]
                self._bytes -= sum(len(letter.body) for letter in letters)


def _letters(batch: pa.RecordBatch, error: Exception) -> Iterator[tuple[DeadLetter, int]]:
    """The rows as Arrow IPC streams of at most REFUSED_BYTES, so that nothing vanishes."""
    step = max(1, len(batch) * REFUSED_BYTES // max(1, batch.nbytes))
    for start in range(0, len(batch), step):
        rows = batch.slice(start, step)
        yield _letter(rows, error), len(rows)


def _letter(rows: pa.RecordBatch, error: Exception) -> DeadLetter:
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, rows.schema) as writer:
        writer.write_batch(rows)
    first = {name: rows.column(name)[0].as_py() for name in ("source", "namespace", "model", "id")}
    body, received = buffer.getvalue().to_pybytes(), rows.column("received")[0].value
    return DeadLetter(
        **first,
        received=received,
        reason="store_refused",
        detail=str(error),
        field="",
        body=body,
        rows=len(rows),
    )
