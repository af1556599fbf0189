"""Labels that were accepted and are not stored yet. For one thread."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa

from collectors.labels import TAP
from collectors.storing.refused import letters
from collectors.storing.spool import MOST_DIVISIONS
from core.errors import StoreUnavailable
from core.records import DeadLetter

LABELS_PER_INSERT = 200_000

log = logging.getLogger("tidemark.collector")


@dataclass(frozen=True)
class LabelOutcomes:
    """What the spool calls with each batch that is stored, and with each letter: refused labels of one model."""

    stored: Callable[[pa.RecordBatch], None]
    refused: Callable[[DeadLetter], None]


class LabelSpool:
    def __init__(self, store: Callable[[pa.RecordBatch], None], outcomes: LabelOutcomes) -> None:
        self._store, self._outcomes = store, outcomes
        self._waiting: list[pa.RecordBatch] = []
        self._pieces: deque[pa.RecordBatch] = deque()  # the first is tried until it is stored, and always the same
        self._divisions = 0
        self.bytes = 0

    @property
    def batches(self) -> list[pa.RecordBatch]:
        """Every label that is neither stored nor refused."""
        return [*self._pieces, *self._waiting]

    def add(self, batch: pa.RecordBatch) -> None:
        if len(batch):
            self._waiting.append(batch)
            self.bytes += batch.nbytes

    def drain(self) -> None:
        """StoreUnavailable keeps what is not stored; labels the store refuses become letters."""
        while self._pieces or self._next_pieces():
            self._try(self._pieces[0])
        self.bytes = 0

    def _next_pieces(self) -> bool:
        self._divisions = MOST_DIVISIONS
        if self._waiting:
            batch, self._waiting = pa.concat_batches(self._waiting), []
            self._pieces.extend(batch.slice(at, LABELS_PER_INSERT) for at in range(0, len(batch), LABELS_PER_INSERT))
        return bool(self._pieces)

    def _try(self, piece: pa.RecordBatch) -> None:
        try:
            self._store(piece)
        except StoreUnavailable:
            raise
        except Exception as error:
            self._refused(piece, error)
            return
        self._outcomes.stored(piece)
        self._pieces.popleft()

    def _refused(self, piece: pa.RecordBatch, error: Exception) -> None:
        if self._divisions == MOST_DIVISIONS:
            log.error("the store refused some of %d labels, which are told apart: %s", len(piece), error)
        self._pieces.popleft()
        if len(piece) > 1 and self._divisions:
            self._divisions -= 1
            middle = len(piece) // 2
            self._pieces.extend((piece.slice(0, middle), piece.slice(middle)))
            return
        for letter, _ in letters(piece, str(error)):
            self._outcomes.refused(replace(letter, source=TAP))
