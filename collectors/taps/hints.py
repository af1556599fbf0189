"""What HTTP headers say of the payload they come with."""

from collections.abc import Mapping

from collectors.formats import Hints
from core.config import Limits
from core.errors import Rejected

JSON_LENGTH = "inference-header-content-length"  # bytes of JSON in front of binary tensors
ENCODING = "content-encoding"
_MOST_DIGITS = 18


def kept_hints(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Of the headers, what it takes to decode the body again."""
    encoding = [(ENCODING, headers[ENCODING])] if ENCODING in headers else []
    return (*[(name, headers.get(name, "")) for name in ("content-type", JSON_LENGTH)], *encoding)


def hints(headers: Mapping[str, str], limits: Limits, model: str = "") -> Hints:
    """`headers` by names in lower case; `model` is the one that the sender asked."""
    length = headers.get(JSON_LENGTH, "")
    return Hints(headers.get("content-type", ""), _length(length), model, limits, headers.get(ENCODING, ""))


def _length(text: str) -> int | None:
    """None where nothing is said; Rejected for what is no length."""
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    raise Rejected(400, "bad_length", f"{text[:40]!r} is no number of bytes", JSON_LENGTH)
