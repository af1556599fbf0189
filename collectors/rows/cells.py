"""Cells of JSON rows to the map columns of `predictions`: rows may have fields of their own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collectors.building.columns import ITEMS, MAPS, Entries, kind_of, to_map
from collectors.building.fields import EXACT, Kind, number_text
from core.config import Limits
from core.errors import Rejected


class Cell(NamedTuple):
    """One present value: the map column it goes to, its field, itself."""

    column: str
    field: str
    value: Any


def cells(record: dict[str, Any], key: str, limits: Limits) -> Iterator[Cell]:
    """What is present in `record[key]`, which is `inputs` or `outputs`; Rejected names the field at fault."""
    fields = record.get(key) or {}
    if not isinstance(fields, dict):
        raise Rejected(400, "bad_shape", f"expected an object, found {type(fields).__name__}", key)
    if len(fields) > limits.fields_per_row:
        raise Rejected(413, "too_large", f"over {limits.fields_per_row} fields (limits.fields_per_row)", key)
    for name, value in fields.items():
        if not name:
            raise Rejected(400, "bad_name", "a field needs a name", key)
        if value is not None:
            kind, kept = _cell(value, f"{key}.{name}")
            if kept is not None:
                yield Cell(f"{key}_{kind}", name, kept)


def as_declared(cells: Sequence[Cell], kinds: Mapping[str, str]) -> Sequence[Cell]:
    """Numbers of fields declared `cat` as text: 3.0 is '3'."""
    if not kinds:
        return cells
    return [
        Cell(f"{cell.column[:-3]}cat", cell.field, number_text(cell.value))
        if cell.column.endswith("num") and kinds.get(cell.field) == "cat"
        else cell
        for cell in cells
    ]


def maps(rows: Sequence[Sequence[Cell]]) -> dict[str, pa.MapArray]:
    """The six map columns; rows may have fields of their own, which as dense columns would be mostly empty."""
    found: dict[str, _Found] = {column: _Found([], {}, [], []) for column in MAPS}
    for at, cells in enumerate(rows):
        for column, name, value in cells:
            where, names, keys, items = found[column]
            where.append(at)
            keys.append(names.setdefault(name, len(names)))
            items.append(value)
    return {column: _map(kind_of(column), len(rows), cells) for column, cells in found.items()}


class _Found(NamedTuple):
    """Cells of one map column: their rows, the names and which each has, the values."""

    rows: list[int]
    names: dict[str, int]
    keys: list[int]
    items: list[Any]


def _map(kind: Kind, rows: int, cells: _Found) -> pa.MapArray:
    counts = np.bincount(np.array(cells.rows, np.int64), minlength=rows).astype(np.int32)
    entries = Entries(counts, tuple(cells.names), np.array(cells.keys, np.int32), pa.array(cells.items, ITEMS[kind]))
    return to_map(entries, kind)


def _cell(value: Any, where: str) -> tuple[Kind, Any]:
    if isinstance(value, str):
        return "cat", value
    if isinstance(value, int) and abs(value) > EXACT:
        return "cat", str(value)
    if isinstance(value, int | float):
        return "num", float(value)
    if isinstance(value, list):
        return "vec", _vector(value, where)
    raise Rejected(
        400, "bad_value", f"expected a number, text or a list of numbers, found {type(value).__name__}", where
    )


def _vector(value: list[Any], where: str) -> NDArray[np.float32] | None:
    """The list laid flat; None when it holds nothing but nulls."""
    try:
        found = np.array(value or [None])
        if found.dtype.kind not in "biufO" or any(isinstance(v, str) for v in found.flat):
            raise ValueError
        with np.errstate(over="ignore"):
            vector = found.astype(np.float64).astype(np.float32).ravel()
    except (TypeError, ValueError, OverflowError):
        raise Rejected(400, "bad_value", "a list must hold only numbers, as many in each part", where) from None
    return None if np.isnan(vector).all() else vector
