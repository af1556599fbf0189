"""Rows that were sent before: the same content is left out, other content is a conflict and kept. Both are counted."""

from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

from collectors.recent import Recent, Seen
from core.metrics import Metrics


class Duplicates:
    def __init__(self, metrics: Metrics) -> None:
        self._counters = {Seen.DUPLICATE: metrics.duplicates, Seen.CONFLICT: metrics.conflicts}
        self._recent = Recent()
        self._lock = Lock()

    def left_out(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """`batch` without the rows that were sent lately with the same content."""
        keys = pc.binary_join_element_wise(*(batch.column(name) for name in ("namespace", "model", "id")), "\0")
        contents = batch.column("content").to_numpy().tolist()
        with self._lock:
            seen = self._recent.see_all(keys.to_pylist(), contents)
        if seen.count(Seen.NEW) == len(seen):
            return batch
        for row, what in enumerate(seen):
            if counter := self._counters.get(what):
                counter.labels(batch.column("namespace")[row].as_py(), batch.column("model")[row].as_py()).inc()
        return batch.filter(pa.array([what is not Seen.DUPLICATE for what in seen]))
