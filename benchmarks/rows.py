"""Predictions of a model of 12 features and one output: as a user sends them, and as the table takes them."""

import uuid
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from core.records import NAME, PREDICTIONS, TIME

FEATURES = tuple(f"f{i}" for i in range(12))
MODEL = "income"
BATCH_ROWS = 100_000
START = 1_767_225_600_000_000  # 2026-01-01, microseconds


def sent(rows: int, shift: float = 0.0, seed: int = 0, start: int = START) -> Iterator[pa.RecordBatch]:
    """Batches for `POST /api/predictions`: N(shift, 1) features, a millisecond apart from `start`, all on one day."""
    rng = np.random.default_rng(seed)
    for first in range(0, rows, BATCH_ROWS):
        count = min(BATCH_ROWS, rows - first)
        yield pa.RecordBatch.from_pydict(
            {
                "model": pa.repeat(MODEL, count),
                "id": pa.array([str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(count)]),
                "time": pa.array(start + 1000 * (first + np.arange(count)), TIME),
                **{f"inputs.{name}": rng.normal(shift, 1, count) for name in FEATURES},
                "outputs.p": rng.random(count),
            }
        )


def stream(batch: pa.RecordBatch) -> bytes:
    """One batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def stored(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows in the columns of the table `predictions`, features as maps."""
    count = len(batch)
    columns = {
        **{name: _constant(PREDICTIONS.field(name).type, count) for name in PREDICTIONS.names},
        "id": batch.column("id"),
        "namespace": pa.repeat("default", count),
        "model": batch.column("model"),
        "time": batch.column("time"),
        "received": batch.column("time"),
        "content": pa.array(np.arange(count, dtype=np.uint64)),
        "inputs_num": _map(FEATURES, [batch.column(f"inputs.{name}") for name in FEATURES]),
        "outputs_num": _map(("p",), [batch.column("outputs.p")]),
    }
    return pa.RecordBatch.from_pydict(columns, schema=PREDICTIONS)


def _constant(kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_map(kind):
        empty = pa.array([], kind.key_type), pa.array([], kind.item_type)
        return pa.MapArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), *empty)
    return pa.repeat(pa.scalar("" if pa.types.is_string(kind) else 1, kind), count)


def _map(names: tuple[str, ...], columns: list[pa.Array]) -> pa.MapArray:
    """A map of every row, its keys as dictionary indices: what the collectors make too."""
    count, width = len(columns[0]), len(names)
    keys = pa.DictionaryArray.from_arrays(pa.array(np.tile(np.arange(width, dtype=np.int32), count)), list(names))
    values = np.column_stack([column.to_numpy() for column in columns]).ravel()
    return pa.MapArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32) * width), keys.cast(NAME), values)
