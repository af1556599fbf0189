"""Labels that come with their predictions: columns `labels.<name>` of Arrow, the key `labels` of a JSON row.

Each is of its row's id and time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collectors.building.fields import EXACT, category_text
from collectors.building.lengths import check_name
from collectors.labels.values import Value, label_value
from collectors.rows import LabelsRead
from collectors.rows.types import is_number, is_text
from core.config import Limits
from core.errors import Rejected
from core.records import LABELS

PREFIX = "labels."


def said(record: Mapping[str, Any], limits: Limits) -> list[tuple[str, Value]]:
    """The labels in a JSON row, by their names; null is none."""
    labels = record.get("labels") or {}
    if not isinstance(labels, dict):
        raise Rejected(400, "bad_shape", f"expected an object, found {type(labels).__name__}", "labels")
    if len(labels) > limits.fields_per_row:
        raise Rejected(413, "too_large", f"over {limits.fields_per_row} labels (limits.fields_per_row)", "labels")
    found = [(name, label_value(v, f"{PREFIX}{name}")) for name, v in labels.items() if v is not None]
    for name, value in found:
        check_name(name, limits, "labels")
        if len(value.text) > limits.tag_length:
            detail = f"{len(value.text)} characters; at most {limits.tag_length} are taken (limits.tag_length)"
            raise Rejected(413, "too_long", detail, f"{PREFIX}{name}"[:100])
    return found


def of_cells(rows: pa.RecordBatch, cells: Sequence[Sequence[tuple[str, Value]]], numbers: Sequence[int]) -> LabelsRead:
    """What `said` gave for each of `rows`, predictions; `numbers` are theirs in the call."""
    at = [row for row, found in enumerate(cells) for _ in found]
    every = [label for found in cells for label in found]
    columns = {
        "name": pa.array([name for name, _ in every], pa.string()),
        "value": pa.array([value.text for _, value in every], pa.string()),
        "num": pa.array([value.number for _, value in every], pa.float64()),
    }
    return _of_rows(rows, np.array(at, np.int64), columns, numbers)


def of_columns(rows: pa.RecordBatch, sent: pa.RecordBatch, numbers: Sequence[int]) -> LabelsRead:
    """The columns `labels.<name>` of `sent`, whose rows are those of `rows`."""
    parts = []
    for name in sent.schema.names:
        if name.startswith(PREFIX):
            texts, values = _values(sent.column(name), name)
            at = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
            taken = {"value": texts.take(pa.array(at)), "num": values.take(pa.array(at))}
            named = {"name": pa.repeat(pa.scalar(name.removeprefix(PREFIX)), len(at)), **taken}
            parts.append(_of_rows(rows, at, named, numbers))
    return together(parts)


def together(parts: Sequence[LabelsRead]) -> LabelsRead:
    """Parts of one call."""
    empty = pa.RecordBatch.from_pylist([], schema=LABELS)
    batch = pa.concat_batches([empty, *(part.batch for part in parts)])
    return LabelsRead(batch, [], [number for part in parts for number in part.numbers])


def _of_rows(
    rows: pa.RecordBatch, at: NDArray[np.int64], columns: Mapping[str, pa.Array], numbers: Sequence[int]
) -> LabelsRead:
    same = ("time", "received", "namespace", "model", "id")
    taken = {name: rows.column(name).take(pa.array(at)) for name in same}
    empty = pa.repeat(pa.scalar(""), len(at))
    batch = pa.RecordBatch.from_pydict({**taken, **columns, "source": empty}, schema=LABELS)
    return LabelsRead(batch, [], np.asarray(numbers, np.int64)[at].tolist())


def _values(column: pa.Array, name: str) -> tuple[pa.Array, pa.Array]:
    """Texts, null where there is no label, and numbers, null where there is none."""
    kind = column.type
    if is_text(kind) or pa.types.is_temporal(kind):
        return column.cast(pa.string()), pa.nulls(len(column), pa.float64())
    if pa.types.is_boolean(kind):
        return column.cast(pa.string()), column.cast(pa.uint8()).cast(pa.float64())
    if not is_number(kind):
        raise Rejected(400, "bad_value", f"a label is numbers, booleans or text, not {str(kind)[:100]}", name)
    numbers = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    values = pa.array(numbers, from_pandas=True)
    texts = pa.array(category_text(numbers), pa.string())
    if pa.types.is_integer(kind):
        whole = column.fill_null(0).to_numpy(zero_copy_only=False)
        beyond = pa.array((whole > EXACT) | (whole < -EXACT))
        texts = pc.if_else(beyond, column.cast(pa.string()), texts)
        values = pc.if_else(beyond, pa.scalar(None, pa.float64()), values)
    return texts, values
