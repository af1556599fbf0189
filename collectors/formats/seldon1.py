"""Seldon Core 1's own payload, the same asked and answered: `data`, `strData`, `jsonData` or `binData`.

Source: https://docs.seldon.ai/seldon-core-1/reference/prediction-apis/prediction (SeldonMessage)
"""

from collections.abc import Callable, Mapping
from typing import Any

from collectors.formats.body import Document, Hints, inside, refuse_tail
from collectors.formats.rows import by_columns, by_kind, by_rows, check_count
from collectors.formats.values import (
    Cells,
    checked_shape,
    flatten,
    from_base64,
    numbers,
    objects,
    scalar_text,
    shaped,
)
from core.config import Limits
from core.errors import Rejected
from core.records import HalfKind, Payload, Tensor


def matches(value: Mapping[str, Any]) -> bool:
    """`data` alone is not enough: explainers answer with an object of that name."""
    data = value.get("data")
    if type(data) is dict and ("ndarray" in data or "tensor" in data or "tftensor" in data):
        return True
    return "strData" in value or "jsonData" in value or "binData" in value


def decode(document: Document, kind: HalfKind, hints: Hints) -> Payload:
    """`data` is a tensor of that name with `data.names` for its columns; each other kind is named by its key."""
    refuse_tail(document)
    value = document.value
    present = [k for k in _READERS if k in value]
    key = next((k for k in present if value[k] is not None), present[0])
    try:
        tensors = _READERS[key](value[key], hints.limits)
    except Rejected as error:
        raise inside(key, error) from None
    meta = value.get("meta")
    return Payload(tensors, scalar_text(meta.get("puid")) if type(meta) is dict else "")


def _data(data: Any, limits: Limits) -> tuple[Tensor, ...]:
    if type(data) is not dict or ("ndarray" not in data and "tensor" not in data):
        raise Rejected(422, "unknown_format", "an object with ndarray or tensor is expected")
    names = data.get("names") or []
    if type(names) is not list or set(map(type, names)) - {str}:
        raise Rejected(400, "bad_names", "a list of texts is expected", "names")
    check_count(len(names), limits)
    key, read = ("ndarray", flatten) if "ndarray" in data else ("tensor", _tensor)
    cells = _part(key, read, data[key])
    if names and len(cells.shape) == 1 and len(names) == len(cells.flat):
        cells = cells._replace(shape=(1, len(names)))  # one row without the list around it
    if names and len(cells.shape) == 2 and len(names) != cells.shape[1]:
        raise Rejected(400, "bad_names", f"{len(names)} names for {cells.shape[1]} columns", "names")
    return by_kind("data", cells, names if len(cells.shape) == 2 else ())


def _part(key: str, read: Callable[[Any], Cells], value: Any) -> Cells:
    try:
        return read(value)
    except Rejected as error:
        raise inside(key, error) from None


def _tensor(tensor: Any) -> Cells:
    if type(tensor) is not dict:
        raise Rejected(400, "bad_tensor", "an object with shape and values is expected")
    shape = checked_shape(tensor.get("shape"))
    cells = _part("values", _numbers, tensor.get("values"))
    return cells._replace(shape=shaped(numbers(cells), shape).shape)


def _numbers(values: Any) -> Cells:
    cells = flatten(values)
    numbers(cells)  # rejects what is none
    return cells


def _text(value: Any, limits: Limits) -> tuple[Tensor, ...]:
    if type(value) is not str:
        raise Rejected(400, "bad_text", "text is expected")
    return (Tensor("strData", objects([value]), "BYTES"),)


def _bytes(value: Any, limits: Limits) -> tuple[Tensor, ...]:
    (tensor,) = _text(value, limits)
    return (Tensor("binData", from_base64(tensor.values), "BYTES"),)


def _json(value: Any, limits: Limits) -> tuple[Tensor, ...]:
    if type(value) is dict:
        return by_columns(value, limits)
    return by_rows("jsonData", value if type(value) is list else [value], limits)


_READERS: dict[str, Callable[[Any, Limits], tuple[Tensor, ...]]] = {
    "data": _data,
    "strData": _text,
    "jsonData": _json,
    "binData": _bytes,
}
