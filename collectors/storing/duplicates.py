"""Rows that were sent before: the same content is left out, other content is a conflict and kept. Both are counted."""

from threading import Lock
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collectors.accounting.ledger import Tally, rows_of, tally
from collectors.storing.recent import Recent, Seen
from core.metrics import Metrics


class Told(NamedTuple):
    """The rows to store, and how many were left out as duplicates or are among them as conflicts."""

    batch: pa.RecordBatch
    duplicate: Tally
    conflict: Tally

    def words(self) -> dict[str, Tally]:
        """As the ledger counts them: a conflict is stored, but not counted as such."""
        not_counted = tally((line, -n) for line, n in self.conflict.items())
        return {"duplicate": self.duplicate, "conflict": self.conflict, "stored": not_counted}


class Duplicates:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._recent = Recent()
        self._stored: dict[tuple[str, int], int] = {}  # before a restart: key and content, and when it was received
        self._lock = Lock()

    def remember(self, stored: pa.Table) -> None:
        """Rows that were stored before a restart: namespace, model, id, content, received."""
        batch = stored.combine_chunks()
        keys = _keys(batch)
        contents = batch.column("content").to_pylist()
        self._recent.see_all(keys, contents)
        received = batch.column("received").cast(pa.int64()).to_pylist()
        self._stored = dict(zip(zip(keys, contents, strict=True), received, strict=True))

    def forget(self) -> None:
        """What was in the log at the restart has been taken up: whatever comes now is sent again, not read again."""
        self._stored = {}

    def told(self, batch: pa.RecordBatch) -> Told:
        """`batch` without the rows that were sent lately with the same content."""
        keys, contents = _keys(batch), batch.column("content").to_numpy().tolist()
        with self._lock:
            seen = self._recent.see_all(keys, contents)
        if seen.count(Seen.NEW) == len(seen):
            return Told(batch, Tally(), Tally())
        if self._stored:
            received = batch.column("received").cast(pa.int64()).to_pylist()
            rows = zip(seen, zip(keys, contents, strict=True), received, strict=True)
            seen = [Seen.NEW if self._is_our_own(*row) else row[0] for row in rows]
        duplicate, conflict = (np.array([what is kind for what in seen]) for kind in (Seen.DUPLICATE, Seen.CONFLICT))
        told = Told(
            batch.filter(pa.array(~duplicate)),
            rows_of(batch.filter(pa.array(duplicate))),
            rows_of(batch.filter(pa.array(conflict))),
        )
        self._count(told)
        return told

    def _is_our_own(self, seen: Seen, row: tuple[str, int], received: int) -> bool:
        """A row from the log that a crash left may be in the store: it is that very row when it came that moment."""
        own = seen is Seen.DUPLICATE and self._stored.get(row) == received
        if own:
            del self._stored[row]  # once
        return own

    def _count(self, told: Told) -> None:
        for counter, rows in ((self._metrics.duplicates, told.duplicate), (self._metrics.conflicts, told.conflict)):
            for line, count in rows.items():
                counter.labels(line.namespace, line.model).inc(count)


def _keys(batch: pa.RecordBatch | pa.Table) -> list[str]:
    columns = [batch.column(name).cast(pa.string()) for name in ("namespace", "model", "id")]
    keys: list[str] = pc.binary_join_element_wise(*columns, "\0").to_pylist()
    return keys
