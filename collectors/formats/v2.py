"""Open Inference Protocol V2: tensors in JSON, flat or nested, or as binary data behind it.

Specification: https://github.com/open-inference/open-inference-protocol
"""

from collections.abc import Mapping
from math import prod
from typing import Any

from numpy.typing import NDArray

from collectors.formats import binary
from collectors.formats.body import Document, Hints, inside
from collectors.formats.values import checked_shape, flatten, from_base64, scalar_text, shaped, typed
from core.errors import Rejected
from core.records import HalfKind, Payload, Tensor

_KEYS: dict[HalfKind, str] = {"request": "inputs", "response": "outputs"}


def matches(value: Mapping[str, Any]) -> bool:
    """Lists of tensors; V1 has rows or columns under the same keys."""
    return _are_tensors(value.get("inputs")) or _are_tensors(value.get("outputs"))


def decode(document: Document, kind: HalfKind, hints: Hints) -> Payload:
    """Every tensor in the order and the shape sent; the second one without a name is `input-2` or `output-2`."""
    value, tail = document
    key = _KEYS[kind]
    sent = value.get(key)
    if type(sent) is not list:
        raise Rejected(422, "unknown_format", f"a V2 {kind} has a list of tensors in '{key}'", key)
    if len(sent) > hints.limits.tensors:
        detail = f"{len(sent)} tensors; at most {hints.limits.tensors} are taken (limits.tensors)"
        raise Rejected(413, "too_many_tensors", detail, key)
    tensors = []
    outer = _parameters(value).get("content_type")
    for index, part in enumerate(sent):
        try:
            tensor, used = _tensor(part, outer, tail)
        except Rejected as error:
            raise inside(f"{key}[{index}]", error) from None
        tensors.append(tensor if tensor.name else tensor._replace(name=f"{key[:-1]}-{index + 1}"))
        tail = tail[used:]
    _check_whole(tensors, tail, key)
    version = scalar_text(value.get("model_version"))
    return Payload(tuple(tensors), scalar_text(value.get("id")), scalar_text(value.get("model_name")), version)


def _are_tensors(sent: Any) -> bool:
    if type(sent) is not list:
        return False
    if not sent:
        return True
    keys = sent[0].keys() if type(sent[0]) is dict else ()
    return "datatype" in keys or "shape" in keys or ("name" in keys and "data" in keys)


def _tensor(sent: Any, outer: Any, tail: memoryview | bytes) -> tuple[Tensor, int]:
    """One tensor, and how many bytes of `tail` it took; `outer` is the whole request's content type."""
    if type(sent) is not dict:
        raise Rejected(400, "bad_tensor", "an object with name, shape, datatype and data is expected")
    name, datatype = sent.get("name"), sent.get("datatype")
    if name is not None and type(name) is not str:
        raise Rejected(400, "bad_name", "a tensor's name is text", "name")
    if type(datatype) is not str or datatype not in binary.DATATYPES:
        raise Rejected(400, "bad_datatype", f"known are {', '.join(sorted(binary.DATATYPES))}", "datatype")
    shape = checked_shape(sent.get("shape"))
    parameters = _parameters(sent)
    size = parameters.get("binary_data_size")
    if size is None:
        values = _from_json(sent, datatype, parameters.get("content_type", outer))
    else:
        values = _from_tail(tail, size, datatype, prod(shape))
    return Tensor(name or "", shaped(values, shape), datatype, _columns(parameters.get("names"), shape)), size or 0


def _columns(names: Any, shape: list[int]) -> tuple[str, ...]:
    """Names for the elements of a row, as masked tensors have them; () when there are not as many, all different."""
    if type(names) is not list or len(names) != prod(shape[1:]) or set(map(type, names)) != {str}:
        return ()
    return tuple(names) if len(set(names)) == len(names) else ()


def _parameters(sent: dict[str, Any]) -> dict[str, Any]:
    parameters = sent.get("parameters")
    return parameters if type(parameters) is dict else {}


def _from_json(sent: dict[str, Any], datatype: str, content_type: Any) -> NDArray[Any]:
    """The values laid flat, however they were nested: servers read them row by row."""
    if "data" not in sent:
        raise Rejected(400, "bad_data", "missing", "data")
    try:
        values = typed(flatten(sent["data"]), datatype)
        return from_base64(values) if content_type == "base64" and datatype == "BYTES" else values
    except Rejected as error:
        raise inside("data", error) from None


def _from_tail(tail: memoryview | bytes, size: Any, datatype: str, count: int) -> NDArray[Any]:
    field = "parameters.binary_data_size"
    if type(size) is not int or size < 0:
        raise Rejected(400, "bad_size", "a number of bytes is expected", field)
    if size > len(tail):
        raise Rejected(400, "truncated_tensor", f"{size} bytes are announced, {len(tail)} are left", field)
    return binary.decode(tail[:size], datatype, count)


def _check_whole(tensors: list[Tensor], tail: memoryview | bytes, key: str) -> None:
    if tail:
        raise Rejected(400, "trailing_bytes", f"{len(tail)} bytes behind the last tensor")
    seen: set[str] = set()
    for index, tensor in enumerate(tensors):
        if tensor.name in seen:
            raise Rejected(400, "bad_name", f"two tensors are named '{tensor.name}'", f"{key}[{index}].name")
        seen.add(tensor.name)
