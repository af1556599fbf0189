"""Bytes of inference requests and responses to `core.records.Payload`: pure functions, one file for each format.

A format is a file with `matches` and `decode`, and a line in FORMATS. A body is parsed once, then shown to the formats
in order.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from collectors.fields import WIDEST
from collectors.formats import error, seldon1, v1, v2
from collectors.formats.body import Document, Hints, parse
from collectors.formats.error import error_text
from collectors.formats.rows import check_count
from core.errors import Rejected
from core.records import HalfKind, Payload, Tensor

__all__ = ["FORMATS", "Format", "Hints", "decode", "detect", "error_text"]

JSON = Hints()


class Format(Protocol):
    """What every member is: a module with these two functions."""

    def matches(self, value: Mapping[str, Any], /) -> bool:
        """Whether a body with these keys is of this format; cheap, for it runs on every body."""

    def decode(self, document: Document, kind: HalfKind, hints: Hints, /) -> Payload:
        """The payload of a body that matches; Rejected names the field at fault."""


FORMATS: dict[str, Format] = {"v2": v2, "v1": v1, "seldon1": seldon1, "error": error}


def decode(body: bytes, kind: HalfKind, hints: Hints = JSON) -> Payload:
    """Read one request or response body of any format.

    Raises Rejected, and nothing else: 400 for bad content, 413 too large, 415 for the content type, 422 for JSON that
    is no inference.
    """
    document = parse(body, hints)
    payload = FORMATS[_pick(document.value)].decode(document, kind, hints)
    check_count(sum([_field_count(tensor) for tensor in payload.tensors]), hints.limits)
    return payload if payload.model or not hints.model else payload._replace(model=hints.model)


def detect(body: bytes, hints: Hints = JSON) -> str:
    """The name of a body's format. Raises Rejected as `decode` does."""
    return _pick(parse(body, hints).value)


def _field_count(tensor: Tensor) -> int:
    """A table has a field for each column; what is wider or deeper is one field."""
    width = tensor.values.shape[1] if tensor.values.ndim == 2 else 1
    return width if width <= WIDEST else 1


def _pick(value: Mapping[str, Any]) -> str:
    for name, member in FORMATS.items():
        if member.matches(value):
            return name
    got = ", ".join(sorted(key[:40] for key in list(value)[:10])) or "none"
    looked_for = "inputs, outputs, instances, predictions, data.ndarray, data.tensor, strData, jsonData, binData, error"
    raise Rejected(422, "unknown_format", f"no inference payload; keys looked for: {looked_for}; keys found: {got}")
