"""What servers answer when an inference failed: `{"error": …}`, Seldon Core 1's `status`, or plain text."""

from collections.abc import Mapping
from typing import Any

import orjson

from collectors.formats.body import Document, Hints, refuse_tail
from core.errors import Rejected
from core.records import HalfKind, Payload

MOST_CHARACTERS = 2_000  # an error text is for people; some servers answer with a whole page


def matches(value: Mapping[str, Any]) -> bool:
    """Asked last: a body with tensors is an answer, whatever else is in it."""
    return "error" in value or _is_failure(value.get("status"))


def decode(document: Document, kind: HalfKind, hints: Hints) -> Payload:
    """A response without tensors that says what went wrong."""
    refuse_tail(document)
    if kind == "request":
        raise Rejected(422, "unknown_format", "a request holds no 'error'", "error")
    return Payload((), error=_of(document.value))


def error_text(body: bytes) -> str:
    """What a body that came with a failing status says, in at most MOST_CHARACTERS; never raises."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace").strip()[:MOST_CHARACTERS]
    return _of(value) if type(value) is dict else _text(value)


def _of(value: Mapping[str, Any]) -> str:
    """KServe, MLServer and Triton say `error`, FastAPI `detail`, Seldon Core 1 `status.info` and `status.reason`."""
    status = value.get("status")
    if type(status) is dict and _is_failure(status):
        said = ": ".join(part for part in (status.get("reason"), status.get("info")) if type(part) is str and part)
        return _text(said or status)
    return _text(next((value[key] for key in ("error", "detail", "message") if value.get(key)), value))


def _is_failure(status: Any) -> bool:
    return type(status) is dict and status.get("status") in ("FAILURE", 1)


def _text(said: Any) -> str:
    try:
        return (said if type(said) is str else orjson.dumps(said).decode())[:MOST_CHARACTERS]
    except orjson.JSONEncodeError:  # orjson reads deeper nesting than it writes
        return "an error that is nested too deep to be shown"
