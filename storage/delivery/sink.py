"""`core.protocols.Sink` over an engine: predictions, labels, dead letters and model fields into the store."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from core.records import TIME, DeadLetter, FieldInfo
from storage.delivery.inserts import Inserts, Target, insert
from storage.delivery.recent import newest
from storage.engine import Engine
from storage.engines.columns import STRINGS, text_array
from storage.lookup.ledger import store_ledger

PREDICTIONS = Target("predictions", day="time")
LABELS = Target("labels")
DEAD_LETTERS = Target("dead_letters", day="received", name="letter")


class StoreSink:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._inserts = Inserts(engine)

    def store(self, predictions: pa.RecordBatch) -> None:
        self._inserts.store(PREDICTIONS, predictions)

    def store_labels(self, labels: pa.RecordBatch) -> None:
        self._inserts.store(LABELS, labels)

    def store_fields(self, fields: Iterable[FieldInfo]) -> None:
        rows = [
            {**f._asdict(), "namespace": f.model.namespace, "model": f.model.model, "field": f.name} for f in fields
        ]
        names = ("namespace", "model", "version", "field", "role", "kind", "tensor", "position", "width", "datatype")
        insert(self._engine, "models", pa.table({name: [row[name] for row in rows] for name in names}))

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        names = ("letter", "source", "reason", "detail", "field", "namespace", "model", "id", "path")
        columns: dict[str, Any] = {name: text_array([getattr(x, name) for x in letters]) for name in names}
        columns["received"] = pa.array([x.received for x in letters], pa.int64()).cast(TIME)
        columns["headers"] = pa.array([list(dict(x.headers).items()) for x in letters], STRINGS)
        columns["body"] = pa.array([x.body for x in letters], pa.binary())
        lengths = [len(x.body) if x.body_bytes < 0 else x.body_bytes for x in letters]
        columns["body_bytes"] = pa.array(lengths, pa.uint64())
        columns["rows"] = pa.array([x.rows for x in letters], pa.uint64())
        self._inserts.store(DEAD_LETTERS, pa.RecordBatch.from_pydict(columns))

    def store_ledger(self, collector: str, entries: Sequence[Mapping[str, Any]]) -> None:
        store_ledger(self._engine, collector, entries)

    def newest(self, rows: int) -> pa.Table:
        return newest(self._engine, rows)
