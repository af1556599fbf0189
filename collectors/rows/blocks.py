"""Columns of an Arrow batch to blocks of fields."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collectors.fields import EXACT, Block
from core.errors import Rejected

_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null)


def block(field: str, column: pa.Array, name: str) -> Block:
    """The field `field` out of the column `name`; Rejected when its type is no field's."""
    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif pa.types.is_integer(kind) and _beyond_exact(column):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return Block("cat", (field,), np.array([column.to_pylist()], dtype=object).T)
    if any(test(kind) for test in _LISTS) and any(test(kind.value_type) for test in _NUMBERS):
        return _vector(field, column, name)
    return Block("num", (field,), _floats(column, name).reshape(-1, 1))


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


def _vector(field: str, column: pa.Array, name: str) -> Block:
    present = column.is_valid().to_numpy(zero_copy_only=False)
    lists = column.drop_null()
    lengths = pc.list_value_length(lists).unique()
    if len(lengths) > 1:
        raise Rejected(400, "bad_shape", "the lists must all have the same length", name)
    size = lengths[0].as_py() if len(lengths) else 0
    values = np.full((len(column), size), np.nan, dtype=np.float32)
    values[present] = _floats(lists.flatten(), name).astype(np.float32).reshape(-1, size)
    return Block("vec", (field,), values, present=present & ~np.isnan(values).all(axis=1))
