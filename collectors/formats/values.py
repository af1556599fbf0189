"""Cells of parsed JSON to arrays, whole lists at a time: numbers become float64, text becomes str objects."""

import base64
import binascii
from collections.abc import Sequence
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from collectors.building.fields import EXACT, number_text
from collectors.formats import exact
from core.errors import Rejected

MOST_AXES = 32  # numpy's limit
NUMERIC = {int, float, bool, NoneType}
_TEXTUAL = {str, NoneType}
_INTEGER_TYPES = {"INT64", "UINT64"}


class Cells(NamedTuple):
    """Nested lists laid flat, row by row. `shape` is how they were nested, () for a bare scalar."""

    flat: list[Any]
    shape: tuple[int, ...]
    kinds: set[type]


def flatten(data: Any) -> Cells:
    """Lay nested lists flat, level by level. Rejected when lists of one level differ in length or mix with scalars."""
    if type(data) is not list:
        return Cells([data], (), {type(data)})
    flat, shape, kinds = data, [len(data)], set(map(type, data))
    while kinds == {list}:
        if len(shape) == MOST_AXES:
            raise Rejected(400, "too_deep", f"nested more than {MOST_AXES} lists deep")
        lengths = set(map(len, flat))
        if len(lengths) > 1:
            raise Rejected(400, "ragged", f"lists of different lengths at depth {len(shape)}: {sorted(lengths)[:5]}")
        shape.append(lengths.pop())
        flat = list(chain.from_iterable(flat))
        kinds = set(map(type, flat))
    if list in kinds:
        raise Rejected(400, "ragged", f"lists beside single values at depth {len(shape)}", _first(flat, shape, {list}))
    return Cells(flat, tuple(shape), kinds)


def numbers(cells: Cells) -> NDArray[np.float64]:
    """float64, one axis; null is NaN, booleans are 0 and 1. Rejected names the first cell that is no number."""
    if not cells.kinds <= NUMERIC:
        detail = "text where a number is expected" if str in cells.kinds else "an object where a number is expected"
        raise Rejected(400, "bad_number", detail, _first(cells.flat, cells.shape, cells.kinds - NUMERIC))
    return np.array(cells.flat, np.float64)


def texts(cells: Cells) -> NDArray[Any]:
    """str objects, one axis; null is None, anything that is not text is written as JSON writes it."""
    flat = cells.flat if cells.kinds <= _TEXTUAL else [_text(cell) for cell in cells.flat]
    return objects(flat)


def numerals(cells: Cells) -> NDArray[Any]:
    """Numbers as str objects, one axis, for integers beyond 2^53: each as Python writes it, booleans as 0 and 1."""
    return objects([None if c is None else repr(int(c) if type(c) is bool else c) for c in cells.flat])


def typed(cells: Cells, datatype: str) -> NDArray[Any]:
    """`numbers`; `texts` for BYTES, `numerals` for integers of which one is beyond 2^53."""
    if datatype == "BYTES":
        return texts(cells)
    values = numbers(cells)
    return numerals(cells) if datatype in _INTEGER_TYPES and beyond_exact(cells, values) else values


def beyond_exact(cells: Cells, values: NDArray[np.float64]) -> bool:
    """Whether `cells`, which are the numbers `values`, hold an integer that float64 may not hold exactly."""
    if int not in cells.kinds or not (np.abs(values) >= EXACT).any():
        return False
    return any(type(cell) is int and abs(cell) > EXACT for cell in cells.flat)


def objects(flat: Sequence[str | None]) -> NDArray[Any]:
    """An object array of one axis."""
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array


def checked_shape(shape: Any) -> list[int]:
    """`shape`; Rejected when it is no list of lengths."""
    if type(shape) is not list or len(shape) > MOST_AXES:
        raise Rejected(400, "bad_shape", f"a list of at most {MOST_AXES} lengths is expected", "shape")
    for axis, length in enumerate(shape):
        if type(length) is not int or length < 0:
            raise Rejected(400, "bad_shape", "a length is an integer from 0", f"shape[{axis}]")
    return shape


def shaped(values: NDArray[Any], shape: list[int]) -> NDArray[Any]:
    """`values` in a checked shape, (1,) for a scalar's; Rejected when their number does not fill it."""
    try:
        return values.reshape(shape or 1)
    except (ValueError, OverflowError):
        raise Rejected(400, "bad_shape", f"{str(shape)[:100]} does not hold {len(values)} elements", "shape") from None


def from_base64(values: NDArray[Any]) -> NDArray[Any]:
    """Base64 text decoded; the tensor as it was sent when any value in it is not text inside (an image, say)."""
    try:
        raw = [None if v is None else base64.b64decode(v, validate=True) for v in values.flat]
    except (binascii.Error, ValueError) as error:
        raise Rejected(400, "bad_base64", f"not base64: {error}") from None
    try:
        return objects([None if r is None else r.decode() for r in raw]).reshape(values.shape)
    except UnicodeDecodeError:
        return values


def scalar_text(value: Any) -> str:
    """An id, a model's name or its version as text; '' when it is absent or no scalar."""
    return value if type(value) is str else str(value) if type(value) is int else ""


def _text(cell: Any) -> str | None:
    if cell is None or type(cell) is str:
        return cell
    if type(cell) is float:
        return number_text(cell)
    if type(cell) is dict and cell.keys() == {"b64"} and type(cell["b64"]) is str:  # TensorFlow Serving's bytes
        decoded: str = from_base64(objects([cell["b64"]]))[0]
        return decoded
    return str(cell) if type(cell) is int else as_json(cell)


def as_json(cell: Any) -> str:
    """Parsed JSON as text again."""
    try:
        return exact.dumps(cell).decode()
    except orjson.JSONEncodeError as error:  # orjson reads deeper nesting than it writes
        raise Rejected(400, "too_deep", f"an object that cannot be kept as text: {error}") from None


def _first(flat: list[Any], shape: Sequence[int], kinds: set[type]) -> str:
    """Where the first cell of one of `kinds` is: `[2][0]`."""
    where = next(i for i, cell in enumerate(flat) if type(cell) in kinds)
    return "".join(f"[{index}]" for index in np.unravel_index(where, tuple(shape))) if shape else ""
