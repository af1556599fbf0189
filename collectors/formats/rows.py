"""JSON rows that declare no types (V1, Seldon Core 1) to tensors: lists of scalars, of lists, or of objects."""

from collections.abc import Mapping, Sequence
from itertools import chain, compress, repeat
from math import prod
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.fields import WIDEST
from collectors.formats.body import inside
from collectors.formats.values import NUMERIC, Cells, beyond_exact, flatten, numbers, texts
from core.config import Limits
from core.errors import Rejected
from core.records import Tensor

_CELL_BYTES = 4  # the least a cell of an object takes in JSON: a body of b bytes holds at most b / 4 of them


def by_rows(name: str, rows: list[Any], limits: Limits) -> tuple[Tensor, ...]:
    """One tensor `name` with a row for each element, or one tensor for each key when every row is an object.

    A key that a row lacks is missing there. Rejected when rows are ragged or have too many keys together.
    """
    if rows and set(map(type, rows)) == {dict}:
        keys = list(dict.fromkeys(chain.from_iterable(rows)))
        check_count(len(keys), limits)
        _check_cells(len(keys) * len(rows), limits)
        return by_columns({key: _filled(list(map(dict.get, rows, repeat(key))), limits) for key in keys}, limits)
    return by_kind(name, flatten(rows))


def by_columns(columns: Mapping[str, Any], limits: Limits) -> tuple[Tensor, ...]:
    """One tensor for each key; the field at fault is named by its key."""
    check_count(len(columns), limits)
    return tuple([tensor for key, values in columns.items() for tensor in _column(key, values)])


def by_kind(name: str, cells: Cells, columns: Sequence[str] = ()) -> tuple[Tensor, ...]:
    """One tensor; of a table that mixes numbers and text two of the same name, each naming the columns it holds.

    `columns` are the names of the second axis. Scalars get the shape (1,).
    """
    values = _array(cells)
    is_table = len(cells.shape) == 2 and 1 < cells.shape[1] <= WIDEST
    if values.dtype == object and is_table and cells.kinds & {int, float, bool}:
        return _split(name, cells, columns or [f"{name}_{j}" for j in range(cells.shape[1])])
    return (_tensor(name, values.reshape(cells.shape or (1,)), columns),)


def check_count(fields: int, limits: Limits) -> None:
    """Rejected when a payload has more fields than are allowed."""
    if fields > limits.fields_per_row:
        most = f"at most {limits.fields_per_row} are taken (limits.fields_per_row)"
        raise Rejected(413, "too_many_fields", f"{fields} fields; {most}")


def _check_cells(cells: int, limits: Limits) -> None:
    if cells * _CELL_BYTES > limits.body_bytes:
        raise Rejected(413, "too_large", f"rows that differ in their keys: {cells} cells when each row has all keys")


def _filled(column: list[Any], limits: Limits) -> list[Any]:
    """A missing list is a list of missing values."""
    if set(map(type, column)) != {list, NoneType}:
        return column
    shape = flatten(next(value for value in column if value is not None)).shape
    _check_cells(prod(shape) * len(column), limits)
    missing = np.full(shape, None, dtype=object).tolist()
    return [missing if value is None else value for value in column]


def _column(key: str, values: Any) -> tuple[Tensor, ...]:
    try:
        return by_kind(key, flatten(values))
    except Rejected as error:
        raise inside(key, error) from None


def _split(name: str, cells: Cells, columns: Sequence[str]) -> tuple[Tensor, ...]:
    width = len(columns)
    by_column = [cells.flat[j::width] for j in range(width)]
    arrays = [_array(Cells(flat, (len(flat),), set(map(type, flat)))) for flat in by_column]
    textual = [array.dtype == object for array in arrays]
    return tuple(
        [
            _tensor(name, np.column_stack(list(compress(arrays, chosen))), list(compress(columns, chosen)))
            for chosen in ([not t for t in textual], textual)
            if any(chosen)
        ]
    )


def _array(cells: Cells) -> NDArray[Any]:
    """Numbers as float64, unless one is an integer that it does not hold exactly; anything else as text."""
    if not cells.kinds <= NUMERIC:
        return texts(cells)
    values = numbers(cells)
    return texts(cells) if beyond_exact(cells, values) else values


def _tensor(name: str, values: NDArray[Any], columns: Sequence[str]) -> Tensor:
    return Tensor(name, values, "BYTES" if values.dtype == object else "FP64", tuple(columns))
