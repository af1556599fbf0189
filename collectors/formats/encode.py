"""Tensors to the body of a V2 request or response: what the decoder of `v2` reads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from collectors.formats import binary
from collectors.formats.body import inside
from core.errors import Rejected
from core.records import HalfKind, Tensor

T = TypeVar("T")


class Encoded(NamedTuple):
    """A body and the headers it has to be sent with."""

    body: bytes
    headers: Mapping[str, str]


def encode(tensors: Sequence[Tensor], id: str = "", kind: HalfKind = "request") -> Encoded:
    """Plain JSON, missing values as null. Rejected for ±inf and for what the datatype cannot hold."""
    data = _each(_json_data, tensors)
    parts = [{**_head(tensor), "data": values} for tensor, values in zip(tensors, data, strict=True)]
    body = orjson.dumps(_document(parts, id, kind), option=orjson.OPT_SERIALIZE_NUMPY)
    return Encoded(body, {"content-type": "application/json"})


def encode_binary(tensors: Sequence[Tensor], id: str = "", kind: HalfKind = "request") -> Encoded:
    """JSON with the values behind it; a request asks for an answer of the same kind. Rejected for missing texts."""
    data = _each(_binary_data, tensors)
    parts = [
        {**_head(tensor), "parameters": {"binary_data_size": len(values)}}
        for tensor, values in zip(tensors, data, strict=True)
    ]
    document = _document(parts, id, kind)
    if kind == "request":
        document["parameters"] = {"binary_data_output": True}
    head = orjson.dumps(document)
    length = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    return Encoded(b"".join([head, *data]), length)


def _document(parts: list[dict[str, Any]], id: str, kind: HalfKind) -> dict[str, Any]:
    return {**({"id": id} if id else {}), "inputs" if kind == "request" else "outputs": parts}


def _head(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.values.shape), "datatype": tensor.datatype}


def _binary_data(tensor: Tensor) -> bytes:
    return binary.encode(tensor.values, tensor.datatype)


def _json_data(tensor: Tensor) -> Any:
    """The values laid flat."""
    values, datatype = np.ascontiguousarray(tensor.values).ravel(), tensor.datatype
    if datatype == "BYTES":
        return values.tolist()
    if datatype in binary.FLOATS:
        if np.isinf(values).any():
            raise Rejected(400, "bad_number", "JSON has no infinity; send it as binary data", "data")
        return values
    return _integers(values, datatype)


def _integers(values: NDArray[Any], datatype: str) -> Any:
    present = ~np.isnan(values) if values.dtype != object else np.array([v is not None for v in values], bool)
    exact = binary.integers(values[present], datatype)
    if datatype == "BOOL":
        exact = exact.astype(bool)
    if present.all():
        return exact
    cells = np.full(len(values), None, dtype=object)
    cells[present] = exact.tolist()
    return cells.tolist()


def _each(make: Callable[[Tensor], T], tensors: Sequence[Tensor]) -> list[T]:
    made = []
    for tensor in tensors:
        try:
            made.append(make(tensor))
        except Rejected as error:
            raise inside(tensor.name, error) from None
    return made
