"""Blocks of fields to the Arrow columns of the table `predictions`."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collectors.building.fields import Block, Kind
from core.records import NAME, PREDICTIONS, Role

ITEMS = {"num": pa.float64(), "cat": pa.string(), "vec": pa.list_(pa.float32())}
MAPS = [f"{role}s_{kind}" for role in ("input", "output") for kind in ("num", "cat", "vec")]


class Entries(NamedTuple):
    """Present entries of one map column, row after row: `counts` per row, `keys` index into `names`, one item each."""

    counts: NDArray[np.int32]
    names: tuple[str, ...]
    keys: NDArray[np.int32]
    items: pa.Array


def maps(rows: int, parts: Sequence[tuple[Role, Block]]) -> dict[str, pa.MapArray]:
    """The six map columns of `rows` rows."""
    found: dict[str, list[Block]] = {name: [] for name in MAPS}
    for role, block in parts:
        found[f"{role}s_{block.kind}"].append(block)
    return {name: to_map(_side_by_side(rows, found[name], kind_of(name)), kind_of(name)) for name in MAPS}


def concat(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Batches of the schema PREDICTIONS as one, with one dictionary of names for each map."""
    if len(batches) == 1:
        return batches[0]
    columns = {
        field.name: _concat_maps([b.column(field.name) for b in batches], kind_of(field.name))
        if field.name in MAPS
        else pa.concat_arrays([b.column(field.name) for b in batches])
        for field in PREDICTIONS
    }
    return pa.RecordBatch.from_pydict(columns, schema=PREDICTIONS)


def kind_of(column: str) -> Kind:
    kind: Any = column.rsplit("_", 1)[1]
    return kind  # type: ignore[no-any-return]


def to_map(entries: Entries, kind: Kind) -> pa.MapArray:
    offsets = np.concatenate(([0], np.cumsum(entries.counts))).astype(np.int32)
    keys = pa.DictionaryArray.from_arrays(pa.array(entries.keys), pa.array(entries.names, pa.string()))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, entries.items, pa.map_(NAME, ITEMS[kind]))


def entries(column: pa.MapArray) -> Entries:
    """The inverse of `to_map`, of a slice of a column too."""
    offsets = column.offsets.to_numpy()  # of a sliced column they do not begin at 0
    keys = column.keys.indices.to_numpy()[offsets[0] : offsets[-1]]
    names = tuple(column.keys.dictionary.to_pylist())
    items = column.items.slice(offsets[0], offsets[-1] - offsets[0])
    return Entries(np.diff(offsets), names, keys, items)


def _side_by_side(rows: int, blocks: list[Block], kind: Kind) -> Entries:
    """The entries of several blocks over the same rows, row by row."""
    if not blocks:
        return Entries(np.zeros(rows, np.int32), (), np.zeros(0, np.int32), pa.array([], ITEMS[kind]))
    return _PER_KIND[kind](blocks)


def _numbers(blocks: list[Block]) -> Entries:
    values = blocks[0].values if len(blocks) == 1 else np.hstack([b.values for b in blocks])
    names = tuple(name for block in blocks for name in block.names)
    present = ~np.isnan(values)
    if present.all():
        keys = np.tile(np.arange(values.shape[1], dtype=np.int32), len(values))
        return Entries(np.full(len(values), values.shape[1], np.int32), names, keys, pa.array(values.ravel()))
    return Entries(_counts(present), names, _columns_of(present), pa.array(values[present]))


def _texts(blocks: list[Block]) -> Entries:
    values = np.hstack([b.values for b in blocks])
    names = tuple(name for block in blocks for name in block.names)
    flat = pa.array(values.ravel().tolist(), pa.string())
    present = flat.is_valid().to_numpy(zero_copy_only=False).reshape(values.shape)
    return Entries(_counts(present), names, _columns_of(present), flat.drop_null())


def _vectors(blocks: list[Block]) -> Entries:
    present = np.column_stack([_present(b) for b in blocks])
    rows, columns = np.nonzero(present)
    lists = pa.concat_arrays([_lists(b.values) for b in blocks])
    items = lists.take(pa.array(columns * len(present) + rows))
    return Entries(_counts(present), tuple(b.names[0] for b in blocks), columns.astype(np.int32), items)


_PER_KIND: dict[Kind, Callable[[list[Block]], Entries]] = {"num": _numbers, "cat": _texts, "vec": _vectors}


def _present(block: Block) -> NDArray[np.bool_]:
    return np.ones(len(block.values), np.bool_) if block.present is None else block.present


def _lists(values: NDArray[np.float32]) -> pa.ListArray:
    rows, size = values.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * size
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel(), pa.float32()))


def _counts(present: NDArray[np.bool_]) -> NDArray[np.int32]:
    counts: NDArray[np.int32] = present.sum(axis=1, dtype=np.int32)
    return counts


def _columns_of(present: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.nonzero(present)[1].astype(np.int32)


def _concat_maps(columns: list[pa.MapArray], kind: Kind) -> pa.MapArray:
    names: dict[str, int] = {}
    parts, keys = [entries(column) for column in columns], []
    for part in parts:
        known = [names.setdefault(name, len(names)) for name in part.names]
        keys.append(np.array(known, np.int32)[part.keys] if known else part.keys)
    counts, items = np.concatenate([p.counts for p in parts]), pa.concat_arrays([p.items for p in parts])
    return to_map(Entries(counts, tuple(names), np.concatenate(keys), items), kind)
