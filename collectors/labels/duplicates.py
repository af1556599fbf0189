"""Labels that were sent before: an equal one is left out, another value is a revision and kept."""

from collections.abc import Hashable
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collectors.accounting.ledger import Tally
from collectors.labels import labels_of
from collectors.storing.duplicates import Told
from collectors.storing.recent import Recent, Seen


class Newest:
    """The last content under each key, for at least the newest `capacity` keys and at most twice as many."""

    def __init__(self, capacity: int = 250_000) -> None:
        self._capacity = capacity
        self._young: dict[Hashable, Hashable] = {}
        self._old: dict[Hashable, Hashable] = {}

    def swap(self, key: Hashable, content: Hashable) -> Hashable:
        """What was there before, None for nothing."""
        known = self._young.get(key)
        known = self._old.get(key) if known is None else known
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, {}
        self._young[key] = content
        return known


class LabelDuplicates:
    """A label with a time of its own is told for as long as it is remembered; one without only from the last value
    that came: to say A, then B, then A again is to correct oneself twice.
    """

    def __init__(self) -> None:
        self._recent, self._newest = Recent(), Newest()
        self._lock = Lock()

    def told(self, batch: pa.RecordBatch) -> Told:
        """`batch`, of the schema LABELS, without those that were sent lately."""
        duplicate = np.zeros(len(batch), np.bool_)
        keys, contents = _joined(batch, "namespace", "model", "id", "name"), _joined(batch, "value", "source")
        times = batch.column("time").cast(pa.int64()).to_pylist()
        timed = pc.not_equal(batch.column("time"), batch.column("received")).to_pylist()
        with self._lock:
            for row, (key, content) in enumerate(zip(keys, contents, strict=True)):
                before = self._newest.swap(key, content)
                seen = self._recent.see((key, content, times[row]), 0) if timed[row] else Seen.NEW
                duplicate[row] = seen is Seen.DUPLICATE or (not timed[row] and before == content)
        if not duplicate.any():
            return Told(batch, Tally(), Tally())
        return Told(batch.filter(pa.array(~duplicate)), labels_of(batch.filter(pa.array(duplicate))), Tally())


def _joined(batch: pa.RecordBatch, *names: str) -> list[str]:
    joined: list[str] = pc.binary_join_element_wise(*(batch.column(name) for name in names), "\0").to_pylist()
    return joined
