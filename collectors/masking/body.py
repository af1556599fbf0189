"""Masked tensors as a body that says what they say, in place of the one received: V2 JSON."""

from typing import Any

import numpy as np
import orjson

from collectors.building.fields import EXACT
from collectors.formats.binary import FLOATS
from core.records import HalfKind, Payload, Tensor

HEADERS = (("content-type", "application/json"),)


def body(payload: Payload, kind: HalfKind) -> bytes:
    """What the decoder of `collectors.formats.v2`, or for an error without tensors `error`, reads as `payload`."""
    if payload.error and not payload.tensors:
        return orjson.dumps({"error": payload.error})
    said = {"id": payload.id, "model_name": payload.model, "model_version": payload.version}
    document = {name: value for name, value in said.items() if value}
    parts = [_part(tensor) for tensor in payload.tensors]
    document["inputs" if kind == "request" else "outputs"] = parts  # type: ignore[assignment]
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _part(tensor: Tensor) -> dict[str, Any]:
    names = {"parameters": {"names": tensor.columns}} if tensor.columns else {}
    head = {"name": tensor.name, "shape": tensor.values.shape, "datatype": tensor.datatype}
    return {**head, **names, "data": _data(tensor)}


def _data(tensor: Tensor) -> Any:
    """The values laid flat, missing ones as null, whatever the datatype promises: senders do not keep it either."""
    values = np.ascontiguousarray(tensor.values).ravel()
    if values.dtype == object:
        numbers = tensor.datatype != "BYTES"  # integers beyond 2^53, which are kept as text
        return [orjson.Fragment(v) if numbers and v is not None else v for v in values.tolist()]
    if np.isinf(values).any():
        return [orjson.Fragment(_literal(v)) if np.isinf(v) else v for v in values.tolist()]
    if tensor.datatype == "BOOL" and ((values == 0) | (values == 1)).all():
        return values.astype(bool)
    exact = (values == np.trunc(values)) & (np.abs(values) <= EXACT)
    return values.astype(np.int64) if tensor.datatype not in FLOATS and exact.all() else values


def _literal(infinite: float) -> bytes:
    return b"Infinity" if infinite > 0 else b"-Infinity"
