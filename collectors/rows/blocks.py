"""Columns of an Arrow batch to blocks of fields."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collectors.building.fields import EXACT, Block
from collectors.formats.rows import check_cells
from collectors.rows.types import is_list, is_text
from core.config import Limits
from core.errors import Rejected


def block(field: str, column: pa.Array, name: str, limits: Limits) -> Block:
    """The field `field` out of the column `name`; Rejected when its type is no field's.

    Integers of which some are beyond 2^53 are text of a numeric datatype, as in a tensor.
    """
    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif _is_whole(kind) and _beyond_exact(column):
        return Block("cat", (field,), _objects(column.cast(pa.string())), datatype="INT64")
    if is_text(kind):
        return Block("cat", (field,), _objects(column))
    if is_list(kind):
        return _vector(field, column, name, limits)
    return Block("num", (field,), _floats(column, name).reshape(-1, 1))


def _is_whole(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0))


def _objects(column: pa.Array) -> NDArray[Any]:
    return np.array([column.to_pylist()], dtype=object).T


def _beyond_exact(column: pa.Array) -> bool:
    bounds = pc.min_max(column)
    return any(v is not None and abs(v) > EXACT for v in (bounds["min"].as_py(), bounds["max"].as_py()))


def _floats(column: pa.Array, name: str) -> NDArray[np.float64]:
    try:
        values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except pa.ArrowException:
        detail = f"a field is numbers, text or lists of numbers, not {column.type}"
        raise Rejected(400, "bad_value", detail, name) from None
    return values


def _vector(field: str, column: pa.Array, name: str, limits: Limits) -> Block:
    present = column.is_valid().to_numpy(zero_copy_only=False)
    lists = column.drop_null()
    lengths = pc.list_value_length(lists).unique()
    if len(lengths) > 1:
        raise Rejected(400, "bad_shape", "the lists must all have the same length", name)
    size = lengths[0].as_py() if len(lengths) else 0
    check_cells(len(column) * size, limits)  # one list beside a million nulls is as wide for all of them
    values = np.full((len(column), size), np.nan, dtype=np.float32)
    with np.errstate(over="ignore"):  # beyond float32 it is infinite, which is kept and counted
        values[present] = _floats(lists.flatten(), name).astype(np.float32).reshape(len(lists), size)
    return Block("vec", (field,), values, present=present & ~np.isnan(values).all(axis=1))
