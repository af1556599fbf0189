"""From the bytes of a body to its parsed JSON: content type, codings, the binary tail, and what is wrong with it."""

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from collectors.formats import exact
from collectors.formats.encodings import unzip
from collectors.formats.nesting import check_containers, check_nesting
from core.config import Limits
from core.errors import Rejected


class Hints(NamedTuple):
    """What came beside a body.

    `json_length`: bytes of JSON in front of binary tensors (header Inference-Header-Content-Length).
    `model`: the model the sender named, used where the body names none. `encoding`: the header Content-Encoding.
    """

    content_type: str = "application/json"
    json_length: int | None = None
    model: str = ""
    limits: Limits = Limits()
    encoding: str = ""


class Document(NamedTuple):
    """A body's JSON object, and the bytes behind it (binary tensors)."""

    value: dict[str, Any]
    tail: memoryview | bytes = b""


# A string is passed over whole; without the possessive quantifiers an unclosed one would cost quadratic time. What must
# not stand before a literal is asked after its first letter, so that the scan only stops at ", N, I and -.
_STRING_OR_LITERAL = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
    rb"|(?:N(?<![\w.+-]N)aN|I(?<![\w.+-]I)nfinity|-(?<![\w.+-]-)Infinity)(?![\w.+-])",
    re.DOTALL,
)
_INFINITIES = (b"Infinity", b"-Infinity")
_SPACE = b" \t\r\n"
# JSON of any name; octet-stream is JSON with binary tensors behind it; KServe's logger passes on the caller's type,
# which is form-urlencoded when the caller is `curl -d`; no type at all is read as JSON.
_ACCEPTED = ("", "application/json", "text/json", "application/octet-stream", "application/x-www-form-urlencoded")


def parse(body: bytes, hints: Hints) -> Document:
    """Check the content type, unzip, parse. Rejected: 415 for the type, 413 when too large, 400 when not JSON."""
    _check_type(hints.content_type)
    body = unzip(body, hints.limits.body_bytes, hints.encoding)
    tail: memoryview | bytes
    head, tail = (body, b"") if hints.json_length is None else _split(body, hints.json_length)
    try:
        value = loads(head, hints.limits)
    except Rejected:
        end = 0 if tail else _end_of_document(head)
        if not end:
            raise
        value, tail = loads(head[:end], hints.limits), memoryview(head)[end:]
    else:
        if hints.json_length is None and b'"binary_data_size"' in head:  # a tensor may look like space after the JSON
            tail = head[len(head.rstrip(_SPACE)) :]
    if type(value) is not dict:
        raise Rejected(422, "unknown_format", f"a JSON object is expected, not {type(value).__name__}")
    return Document(value, tail)


def loads(text: bytes, limits: Limits) -> Any:
    """Parse JSON in which NaN and ±Infinity may stand for numbers, as Python writes them; NaN becomes null.

    Rejected: 400 when it is no JSON, or nested too deep.
    """
    check_containers(text, limits)
    value = _loads(text)
    check_nesting(text, limits)
    return value


def _loads(text: bytes) -> Any:
    try:
        return _loads_exactly(text)
    except orjson.JSONDecodeError as error:
        raise _bad_json(error) from None
    except RecursionError:  # Python's own parser gives up before orjson does
        raise Rejected(400, "too_deep", "JSON nested too deep (limits.nesting)") from None


def _loads_exactly(text: bytes) -> Any:
    try:
        return exact.loads(text)
    except orjson.JSONDecodeError:
        if b"NaN" not in text and b"Infinity" not in text:
            raise
    return _loads_literals(text)


def is_json(content_type: str) -> bool:
    """Whether a content type, parameters and all, is one of JSON; no type is."""
    media = _media(content_type)
    return media in ("", "application/json", "text/json") or media.endswith("+json")


def refuse_tail(document: Document) -> None:
    """Rejected when bytes follow the JSON of a format that has no binary tensors."""
    if document.tail:
        raise Rejected(400, "bad_json", f"{len(document.tail)} bytes after the end of the JSON")


def inside(path: str, error: Rejected) -> Rejected:
    """`error` about a part of what is at `path`, as seen from outside: `shape` of `inputs[0]` is `inputs[0].shape`."""
    joint = "." if error.field and not error.field.startswith("[") else ""
    return Rejected(error.status, error.code, error.detail, f"{path}{joint}{error.field}")


@lru_cache(maxsize=256)
def _check_type(content_type: str) -> None:
    media = _media(content_type)
    if media not in _ACCEPTED and not is_json(content_type):
        accepted = ", ".join(filter(None, _ACCEPTED))
        detail = f"{media[:100]!r} is not read; accepted: {accepted}, or any +json"
        raise Rejected(415, "unknown_content_type", detail, "content-type")


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _split(body: bytes, json_length: int) -> tuple[bytes, memoryview]:
    if not 0 < json_length <= len(body):
        detail = f"{json_length} bytes of JSON in a body of {len(body)} bytes"
        raise Rejected(400, "bad_length", detail, "inference-header-content-length")
    return body[:json_length], memoryview(body)[json_length:]


def _end_of_document(body: bytes) -> int:
    """Where the JSON ends that announces binary tensors, 0 for other bodies: KServe's logger drops its length.

    Read as Latin-1, which any bytes behind the JSON are.
    """
    if b'"binary_data_size"' not in body:
        return 0
    try:
        return json.JSONDecoder(strict=False).raw_decode(body.decode("latin-1"))[1]
    except (ValueError, RecursionError):
        return 0


def _loads_literals(text: bytes) -> Any:
    """orjson judges the text with the literals replaced; only infinities, which it cannot hold, need Python's own."""
    without_nan = _STRING_OR_LITERAL.sub(lambda m: b"null" if m[0] == b"NaN" else m[0], text)
    if b"Infinity" not in without_nan:
        return exact.loads(without_nan)
    finite = _STRING_OR_LITERAL.sub(lambda m: b"0" if m[0] in _INFINITIES else m[0], without_nan)
    value = exact.loads(finite)
    return value if finite == without_nan else json.loads(without_nan.decode())


def _bad_json(error: orjson.JSONDecodeError) -> Rejected:
    if "depth" in error.msg:
        return Rejected(400, "too_deep", f"JSON nested too deep at character {error.pos} (limits.nesting)")
    if "UTF-8" in error.msg or "surrogate" in error.msg:
        return Rejected(400, "bad_utf8", f"not UTF-8: {error.msg} at character {error.pos}")
    return Rejected(400, "bad_json", f"not JSON: {error.msg} at character {error.pos}")
