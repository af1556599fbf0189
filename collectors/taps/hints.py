"""What HTTP headers say of the payload they come with."""

from collections.abc import Mapping

from collectors.formats import Hints
from core.config import Limits

JSON_LENGTH = "inference-header-content-length"  # bytes of JSON in front of binary tensors


def kept_hints(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Of the headers, what it takes to decode the body again."""
    return tuple([(name, headers.get(name, "")) for name in ("content-type", JSON_LENGTH)])


def hints(headers: Mapping[str, str], limits: Limits, model: str = "") -> Hints:
    """`headers` by names in lower case; `model` is the one that the sender asked."""
    length = headers.get(JSON_LENGTH, "")
    known = int(length) if length.isascii() and length.isdigit() else None
    return Hints(headers.get("content-type", ""), known, model, limits)
