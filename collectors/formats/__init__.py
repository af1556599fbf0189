"""Bytes of inference requests and responses to `core.records.Payload`: pure functions, one file for each format.

A format is a file with `matches` and `decode`, and a line in FORMATS. A body is parsed once, then shown to the formats
in order.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Protocol

from numpy.typing import NDArray

from collectors.building.fields import WIDEST, row_count, spread_cells
from collectors.building.lengths import check_name, check_names
from collectors.formats import error, seldon1, v1, v2
from collectors.formats.body import Document, Hints, parse
from collectors.formats.error import error_text
from collectors.formats.rows import check_cells, check_count, check_rows
from core.config import Limits
from core.errors import Rejected
from core.records import HalfKind, Payload

__all__ = ["FORMATS", "Format", "Hints", "decode", "detect", "error_text"]

JSON = Hints()
_KEYS = ["inputs", "outputs", "instances", "predictions", "data", "strData", "jsonData", "binData", "error"]


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
    _check(payload, hints.limits)
    return payload if payload.model or not hints.model else payload._replace(model=hints.model)


def detect(body: bytes, hints: Hints = JSON) -> str:
    """The name of a body's format. Raises Rejected as `decode` does."""
    return _pick(parse(body, hints).value)


def _check(payload: Payload, limits: Limits) -> None:
    """What holds for every format: not too many rows, fields, or characters in a name or an id."""
    tensors = payload.tensors
    check_names((payload.id, payload.model, payload.version), limits, "id")
    rows, fields, cells = row_count(tensors), 0, 0
    for name, values, _, columns in tensors:
        fields += _field_count(values)
        cells += values.size
        check_name(name, limits, "name")
        check_names(columns, limits, "name")
    check_count(fields, limits)
    check_rows(rows, limits)
    check_cells(cells + (spread_cells(tensors, rows) if len(tensors) > 1 else 0), limits)


def _field_count(values: NDArray[Any]) -> int:
    """A table has a field for each column; what is wider or deeper is one field."""
    width: int = values.shape[1] if values.ndim == 2 else 1
    return width if width <= WIDEST else 1


def _pick(value: Mapping[str, Any]) -> str:
    for name, member in FORMATS.items():
        if member.matches(value):
            return name
    raise Rejected(422, "unknown_format", f"no inference payload: {_unknown(value)}")


def _unknown(value: Mapping[str, Any]) -> str:
    """The key that was probably meant, or the usual ones."""
    for key in list(value)[:10]:
        if near := get_close_matches(key[:40], _KEYS, n=1, cutoff=0.7):
            return f"it has '{key[:40]}'; did you mean '{near[0]}'?"
    found = ", ".join(repr(key[:40]) for key in list(value)[:3]) or "no key"
    return f"it has {found}; expected 'inputs' or 'instances' asked, 'outputs' or 'predictions' answered"
