"""JSON rows that declare no types (V1, Seldon Core 1) to tensors: lists of scalars, of lists, or of objects."""

from collections.abc import Mapping, Sequence
from itertools import chain, compress, repeat
from math import prod
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.building.fields import WIDEST
from collectors.formats.body import inside
from collectors.formats.values import NUMERIC, Cells, beyond_exact, flatten, numbers, numerals, texts
from core.config import Limits
from core.errors import Rejected
from core.records import Tensor


def by_rows(name: str, rows: list[Any], limits: Limits) -> tuple[Tensor, ...]:
    """One tensor `name` with a row for each element, or one tensor for each key when every row is an object.

    A key that a row lacks is missing there. Rejected when rows are ragged or have too many keys together.
    """
    check_rows(len(rows), limits)
    if rows and set(map(type, rows)) == {dict}:
        keys = list(dict.fromkeys(chain.from_iterable(rows)))
        check_count(len(keys), limits)
        check_cells(len(keys) * len(rows), limits)
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
    values, datatype = _array(cells)
    is_table = len(cells.shape) == 2 and 1 < cells.shape[1] <= WIDEST
    if datatype == "BYTES" and is_table and cells.kinds & {int, float, bool}:
        return _split(name, cells, columns or [f"{name}_{j}" for j in range(cells.shape[1])])
    return (Tensor(name, values.reshape(cells.shape or (1,)), datatype, tuple(columns)),)


def check_count(fields: int, limits: Limits) -> None:
    """Rejected when a payload has more fields than are allowed."""
    if fields > limits.fields_per_row:
        most = f"at most {limits.fields_per_row} are taken (limits.fields_per_row)"
        raise Rejected(413, "too_many_fields", f"{fields} fields; {most}")


def check_rows(rows: int, limits: Limits) -> None:
    """Rejected when a payload has more rows than are allowed."""
    if rows > limits.rows_per_request:
        most = f"at most {limits.rows_per_request} are taken (limits.rows_per_request)"
        raise Rejected(413, "too_many_rows", f"{rows} rows; {most}")


def check_cells(cells: int, limits: Limits) -> None:
    """Rejected when rows whose fields differ unfold to more than is allowed."""
    if cells > limits.cells_per_request:
        most = f"at most {limits.cells_per_request} are taken (limits.cells_per_request)"
        raise Rejected(413, "too_large", f"{cells} cells when each row has all fields; {most}")


def _filled(column: list[Any], limits: Limits) -> list[Any]:
    """A missing list is a list of missing values."""
    if set(map(type, column)) != {list, NoneType}:
        return column
    shape = flatten(next(value for value in column if value is not None)).shape
    check_cells(prod(shape) * len(column), limits)
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
    each = [_array(Cells(flat, (len(flat),), set(map(type, flat)))) for flat in by_column]
    datatypes = [array.datatype for array in each]
    return tuple(
        [
            Tensor(
                name,
                np.column_stack([a.values for a in each if a.datatype == datatype]),
                datatype,
                tuple(compress(columns, [d == datatype for d in datatypes])),
            )
            for datatype in ("FP64", "INT64", "BYTES")
            if datatype in datatypes
        ]
    )


class _Array(NamedTuple):
    values: NDArray[Any]
    datatype: str


def _array(cells: Cells) -> _Array:
    """Numbers as float64, as numerals when one is an integer that it does not hold exactly; anything else as text."""
    if not cells.kinds <= NUMERIC:
        return _Array(texts(cells), "BYTES")
    values = numbers(cells)
    return _Array(numerals(cells), "INT64") if beyond_exact(cells, values) else _Array(values, "FP64")
