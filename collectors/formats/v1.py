"""KServe's and TensorFlow Serving's V1: `instances` or `inputs` asked, `predictions` or `outputs` answered."""

from collections.abc import Mapping
from typing import Any

from collectors.formats.body import Document, Hints, inside, refuse_tail
from collectors.formats.rows import by_columns, by_rows
from collectors.formats.values import scalar_text
from core.errors import Rejected
from core.records import HalfKind, Payload

# The first is the tensor's name whichever key held it.
_KEYS: dict[HalfKind, tuple[str, str]] = {"request": ("instances", "inputs"), "response": ("predictions", "outputs")}


def matches(value: Mapping[str, Any]) -> bool:
    """V2 has `inputs` and `outputs` too and is asked first."""
    return any(key in value for keys in _KEYS.values() for key in keys)


def decode(document: Document, kind: HalfKind, hints: Hints) -> Payload:
    """Rows of scalars or lists are one tensor; rows that are objects, or an object of columns, one for each key."""
    refuse_tail(document)
    value = document.value
    keys = _KEYS[kind]
    key = next((k for k in keys if k in value), None)
    if key is None:
        raise Rejected(422, "unknown_format", f"a V1 {kind} has one of the keys {', '.join(keys)}")
    sent = value[key]
    if sent is None:
        raise Rejected(400, "bad_data", "rows or columns are expected", key)
    try:
        if type(sent) is dict:
            tensors = by_columns(sent, hints.limits)
        else:
            tensors = by_rows(keys[0], sent if type(sent) is list else [sent], hints.limits)
    except Rejected as error:
        raise inside(key, error) from None
    return Payload(tensors, scalar_text(value.get("id")), scalar_text(value.get("model_name")))
