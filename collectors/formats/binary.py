"""Binary tensor data: little-endian, row by row; BYTES as a u32 length before each element's bytes.

Source: Triton's binary tensor data extension,
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.building.fields import EXACT
from collectors.formats.values import objects
from core.errors import Rejected

# BF16 is the upper half of an FP32, which numpy does not know.
DTYPES = {
    "BOOL": "u1",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    "BF16": "<u2",
}
FLOATS = frozenset({"FP16", "FP32", "FP64", "BF16"})
DATATYPES = frozenset({*DTYPES, "BYTES"})
_LENGTH_BYTES = 4
_QUIET_NAN_BF16 = 0x7FC0


def decode(data: memoryview | bytes, datatype: str, count: int) -> NDArray[Any]:
    """`count` elements as float64 or str objects, one axis; text also for integers of which one is beyond 2^53."""
    if datatype == "BYTES":
        return _decode_texts(data, count)
    raw = _elements(data, np.dtype(DTYPES[datatype]), count)
    if datatype == "BOOL":
        raw = (raw != 0).astype(np.float64)
    if datatype == "BF16":
        raw = (raw.astype("<u4") << 16).view("<f4")
    if raw.dtype.kind in "iu" and ((raw > EXACT) | (raw < -EXACT)).any():
        return objects([str(value) for value in raw.tolist()])
    with np.errstate(invalid="ignore"):  # a signalling NaN is as missing as a quiet one
        values: NDArray[np.float64] = raw.astype(np.float64)
    return values


def encode(values: NDArray[Any], datatype: str) -> bytes:
    """The inverse. Rejected when the datatype cannot hold a value, or cannot say that it is missing."""
    if datatype == "BYTES":
        return b"".join([_encode_text(value) for value in values.flat])
    if datatype == "BF16":
        return _upper_halves(floats(values, "FP32")).tobytes()
    if datatype in FLOATS:
        return floats(values, datatype).tobytes()
    return integers(values, datatype).tobytes()


def floats(values: NDArray[Any], datatype: str) -> NDArray[Any]:
    """float64 rounded to `datatype`; Rejected when a finite number becomes infinite."""
    with np.errstate(over="ignore"):
        rounded = values.astype(DTYPES[datatype])
    if (np.isinf(rounded) & np.isfinite(values)).any():
        raise Rejected(400, "bad_number", f"a number too large for {datatype}", "data")
    return rounded


def integers(values: NDArray[Any], datatype: str) -> NDArray[Any]:
    """float64, or integers as text, as the integers of `datatype`; Rejected when one of them is none."""
    dtype = np.dtype(DTYPES[datatype])
    try:
        exact = np.array([int(v) for v in values.flat], dtype) if values.dtype == object else _cast(values, dtype)
    except (TypeError, ValueError, OverflowError):
        raise Rejected(400, "bad_number", f"a value that is no {datatype}", "data") from None
    if datatype == "BOOL" and (exact > 1).any():
        raise Rejected(400, "bad_number", "a BOOL is 0 or 1", "data")
    return exact


def _cast(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):
        cast = values.astype(dtype)
    if not (np.abs(values) <= EXACT).all() or (cast != values).any():
        raise ValueError
    return cast


def _elements(data: memoryview | bytes, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    if len(data) != count * dtype.itemsize:
        detail = f"{len(data)} bytes do not fill the shape with elements of {dtype.itemsize} bytes"
        raise Rejected(400, "bad_shape", detail, "parameters.binary_data_size")
    return np.frombuffer(data, dtype)


def _decode_texts(data: memoryview | bytes, count: int) -> NDArray[Any]:
    data, start = bytes(data), 0
    texts: list[str] = []
    while start < len(data):
        begin = start + _LENGTH_BYTES
        start = begin + int.from_bytes(data[start:begin], "little")
        if start > len(data):
            raise Rejected(400, "truncated_tensor", "an element ends behind its tensor", f"data[{len(texts)}]")
        try:
            texts.append(data[begin:start].decode())
        except UnicodeDecodeError as error:
            raise Rejected(400, "bad_utf8", f"not UTF-8: {error.reason}", f"data[{len(texts)}]") from None
    if len(texts) != count:
        raise Rejected(400, "bad_shape", f"{len(texts)} elements do not fill it", "shape")
    return objects(texts)


def _encode_text(value: str | None) -> bytes:
    if value is None:
        raise Rejected(400, "bad_text", "binary data has no null", "data")
    encoded = value.encode()
    return len(encoded).to_bytes(_LENGTH_BYTES, "little") + encoded


def _upper_halves(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """FP32 rounded to BF16, ties to even."""
    bits = values.view("<u4").astype(np.uint64)
    halves = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return np.where(np.isnan(values), np.uint16(_QUIET_NAN_BF16), halves).astype("<u2")
