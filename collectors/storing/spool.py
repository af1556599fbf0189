"""What was accepted and is not stored yet: bounded in bytes, stored in large inserts, kept on failure."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import pyarrow as pa

from collectors.building.columns import concat
from collectors.storing.late import Late
from collectors.storing.pieces import Piece, halved
from collectors.storing.refused import letters
from core.errors import StoreUnavailable
from core.protocols import Sink
from core.records import DeadLetter
from core.tracing import span

ROWS_PER_INSERT = 200_000
LETTERS_PER_INSERT = 1_000
# How often refused rows of one insert are divided. It tells some 15 bad rows among 200,000 from the good ones, or 35
# among 2,000; of more, good neighbours become letters with them, which a replay stores. Each division costs two inserts
# at most: rows that are all bad cost 501, some 5 s, however many they are. One by one they would take the store for
# half an hour, while the log fills up.
MOST_DIVISIONS = 250

log = logging.getLogger("tidemark.collector")


@dataclass(frozen=True)
class Outcomes:
    """What the spool calls with each batch that is stored, and with each letter and how many refused rows it holds."""

    stored: Callable[[pa.RecordBatch], None]
    refused: Callable[[DeadLetter, int], None]


class Spool:
    """`add` and `add_letter` are for any thread, the rest for the one that stores."""

    def __init__(self, sink: Sink, outcomes: Outcomes, late: Late | None = None) -> None:
        self._sink, self._outcomes = sink, outcomes
        self._late = late or Late()
        self._batches: list[pa.RecordBatch] = []
        # Inserts under way: the first is tried until it is stored or refused, and always the same, so that the store
        # knows it again.
        self._pieces: deque[Piece] = deque()
        self._divisions = 0
        self._letters: list[DeadLetter] = []
        self._letters_under_way = 0
        self._bytes = self._rows = 0
        self._lock = Lock()

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def late_rows(self) -> int:
        """Rows that the last `drain` has held back."""
        return self._late.rows

    @property
    def batches(self) -> list[pa.RecordBatch]:
        """Every row that is neither stored nor refused."""
        with self._lock:
            waiting = list(self._batches)
        return [*(piece.batch for piece in self._pieces), *self._late.batches, *waiting]

    def add(self, batch: pa.RecordBatch) -> None:
        with self._lock:
            self._batches.append(batch)
            self._rows += len(batch)
            self._bytes += batch.nbytes

    def add_letter(self, letter: DeadLetter) -> None:
        with self._lock:
            self._letters.append(letter)
            self._bytes += len(letter.body)

    def drain(self, now: int, everything: bool = False) -> None:
        """Store what is due by `now`, in microseconds since 1970; with `everything` late rows too.

        StoreUnavailable keeps what is not stored; rows the store refuses become letters.
        """
        while self._pieces or self._next_pieces(now, everything):
            self._store(self._pieces[0], now)
        self.drain_letters()

    def _next_pieces(self, now: int, everything: bool) -> bool:
        self._divisions = MOST_DIVISIONS
        while not self._pieces and not self._late.full and (batches := self._next_batches()):
            piece = Piece(concat(batches), sum(batch.nbytes for batch in batches))
            self._pieces.extend(self._late.sift(piece, now))
        if not self._pieces and (self._late.due(now) or (everything and self._late.rows)):
            self._pieces.append(self._late.take())
        return bool(self._pieces)

    def _next_batches(self) -> list[pa.RecordBatch]:
        with self._lock:
            batches = self._batches[: self._fitting()]
            del self._batches[: len(batches)]
            return batches

    def _fitting(self) -> int:
        """How many batches make the next insert: as many as fit, at least one."""
        rows = 0
        for count, batch in enumerate(self._batches):
            rows += len(batch)
            if count and rows > ROWS_PER_INSERT:
                return count
        return len(self._batches)

    def _store(self, piece: Piece, now: int) -> None:
        traces = piece.batch.column("trace_id").unique().to_pylist()
        try:
            with span("store", links=traces, rows=len(piece.batch)):
                self._sink.store(piece.batch)
        except StoreUnavailable:
            raise
        except Exception as error:
            self._refused(piece, error)
            return
        self._outcomes.stored(piece.batch)
        self._late.stored(piece, now)
        self._done(piece)

    def _refused(self, piece: Piece, error: Exception) -> None:
        """Divide it, the largest pieces first, so that what is told apart last is small."""
        if self._divisions == MOST_DIVISIONS:
            log.error("the store refused some of %d rows, which are told apart: %s", len(piece.batch), error)
        if len(piece.batch) > 1 and self._divisions:
            self._divisions -= 1
            self._pieces.popleft()
            self._pieces.extend(halved(piece))
            return
        for letter, rows in letters(piece.batch, str(error)):
            self._outcomes.refused(letter, rows)
        self._done(piece)

    def _done(self, piece: Piece) -> None:
        self._pieces.popleft()
        with self._lock:
            self._rows -= len(piece.batch)
            self._bytes -= piece.bytes

    def drain_letters(self) -> None:
        """In inserts of a size that shrinks when one is refused: a letter that cannot be stored costs no other."""
        count = self._letters_under_way or LETTERS_PER_INSERT
        while some := self._letters[:count]:
            self._letters_under_way = len(some)  # tried again it must be the same insert
            taken = self._take_letters(some)
            count = min(2 * count, LETTERS_PER_INSERT) if taken else len(some) // 2
            self._letters_under_way = 0

    def _take_letters(self, some: list[DeadLetter]) -> bool:
        """False when they must be divided."""
        try:
            self._sink.store_dead_letters(some)
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(some) > 1:
                return False
            lost = some[0]
            log.error("a dead letter (%s, %s, %s) is refused and lost: %s", lost.source, lost.reason, lost.id, error)
        with self._lock:
            del self._letters[: len(some)]
            self._bytes -= sum(len(letter.body) for letter in some)
        return True
