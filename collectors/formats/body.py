"""From the bytes of a body to its parsed JSON: content type, gzip, the binary tail, and what is wrong with it."""

import json
import re
import zlib
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from core.config import Limits
from core.errors import Rejected


class Hints(NamedTuple):
    """What came beside a body.

    `json_length`: bytes of JSON in front of binary tensors (header Inference-Header-Content-Length).
    `model`: the model the sender named, used where the body names none.
    """

    content_type: str = "application/json"
    json_length: int | None = None
    model: str = ""
    limits: Limits = Limits()


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
# JSON of any name; octet-stream is JSON with binary tensors behind it; KServe's logger passes on the caller's type,
# which is form-urlencoded when the caller is `curl -d`; no type at all is read as JSON.
_ACCEPTED = ("", "application/json", "text/json", "application/octet-stream", "application/x-www-form-urlencoded")


def parse(body: bytes, hints: Hints) -> Document:
    """Check the content type, unzip, parse. Rejected: 415 for the type, 413 when too large, 400 when not JSON."""
    _check_type(hints.content_type)
    body = unzip(body, hints.limits.body_bytes)
    tail: memoryview | bytes
    head, tail = (body, b"") if hints.json_length is None else _split(body, hints.json_length)
    try:
        value = loads(head)
    except Rejected:
        end = 0 if tail else _end_of_document(head)
        if not end:
            raise
        value, tail = loads(head[:end]), memoryview(head)[end:]
    if type(value) is not dict:
        raise Rejected(422, "unknown_format", f"a JSON object is expected, not {type(value).__name__}")
    return Document(value, tail)


def loads(text: bytes) -> Any:
    """Parse JSON in which NaN and ±Infinity may stand for numbers, as Python writes them; NaN becomes null."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if b"NaN" not in text and b"Infinity" not in text:
            raise _bad_json(error) from None
    try:
        return _loads_literals(text)
    except orjson.JSONDecodeError as error:
        raise _bad_json(error) from None
    except RecursionError:  # Python's own parser gives up before orjson does
        raise Rejected(400, "too_deep", "JSON nested too deep") from None


def unzip(body: bytes, most_bytes: int) -> bytes:
    """`body`, unzipped when it is gzip: KServe's logger passes zipped bodies on without their Content-Encoding."""
    if body[:2] == b"\x1f\x8b":
        body = _gunzip(body, most_bytes)
    if len(body) > most_bytes:
        raise Rejected(413, "too_large", f"the body is larger than {most_bytes} bytes")
    return body


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


def _gunzip(body: bytes, most_bytes: int) -> bytes:
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unzipped = unzip.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise Rejected(400, "bad_gzip", f"not gzip: {error}") from None
    if not unzip.eof and len(unzipped) <= most_bytes:
        raise Rejected(400, "bad_gzip", "the gzip data ends early")
    return unzipped


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
        return orjson.loads(without_nan)
    finite = _STRING_OR_LITERAL.sub(lambda m: b"0" if m[0].endswith(b"Infinity") else m[0], without_nan)
    value = orjson.loads(finite)
    return value if finite == without_nan else json.loads(without_nan)


def _bad_json(error: orjson.JSONDecodeError) -> Rejected:
    if "depth" in error.msg:
        return Rejected(400, "too_deep", f"JSON nested too deep at character {error.pos}")
    if "UTF-8" in error.msg or "surrogate" in error.msg:
        return Rejected(400, "bad_utf8", f"not UTF-8: {error.msg} at character {error.pos}")
    return Rejected(400, "bad_json", f"not JSON: {error.msg} at character {error.pos}")
