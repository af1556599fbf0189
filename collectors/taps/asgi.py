"""The little of HTTP that the hot receive paths need, without a framework between them and the server."""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import orjson

from core.errors import Overloaded, Rejected

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger("tidemark.tap")

_EMPTY_START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
_EMPTY_BODY: Message = {"type": "http.response.body", "body": b""}
_CREDENTIALS = re.compile(r"auth|cookie|credential|jwt|key|passw|secret|session|signature|token")  # in a header's name


def header_map(scope: Scope) -> dict[str, str]:
    """Header names in lower case; of a repeated header the last counts."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def kept_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What of the headers may be stored beside a payload: all but credentials."""
    return tuple((name, value) for name, value in headers.items() if not _CREDENTIALS.search(name))


async def read_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """The whole body; Rejected(413) as soon as it is known to be over `limit` bytes."""
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body") and len(body) <= limit:
        return body
    parts, size = [body], len(body)
    while message.get("more_body") and size <= limit:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if message["type"] == "http.disconnect":
        raise Rejected(400, "disconnected", "the sender went away before the body was whole")
    if size > limit:
        raise _too_large(limit)
    return b"".join(parts)


async def answer_empty(send: Send) -> None:
    """200 without a body, which is what most calls get."""
    await send(_EMPTY_START)
    await send(_EMPTY_BODY)


async def answer(send: Send, status: int, body: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    start = [(b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def answer_json(send: Send, status: int, value: Any) -> None:
    await answer(send, status, orjson.dumps(value), [(b"content-type", b"application/json")])


def as_rejected(error: Exception) -> Rejected:
    """An error of our own is a 500, and the payload a dead letter all the same."""
    if isinstance(error, Rejected):
        return error
    log.exception("what was sent could not be taken")
    return Rejected(500, "internal", f"{type(error).__name__}: {error}")


async def answer_error(send: Send, error: Rejected | Overloaded) -> None:
    """Problem details (RFC 9457) with the field at fault; 503 says when to come back."""
    headers = [(b"content-type", b"application/problem+json")]
    if isinstance(error, Overloaded):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    status, body = problem(error)
    await answer(send, status, orjson.dumps(body), headers)


def problem(error: Rejected | Overloaded) -> tuple[int, dict[str, Any]]:
    """The status and the body of problem details."""
    if isinstance(error, Overloaded):
        return 503, {"type": "about:blank", "title": "Not accepted for now", "status": 503, "detail": str(error)}
    named = {"field": error.field} if error.field else {}
    body = {"type": "about:blank", "title": error.code.replace("_", " "), "status": error.status}
    return error.status, {**body, "detail": str(error), "reason": error.code, **named}


def _too_large(limit: int) -> Rejected:
    return Rejected(413, "too_large", f"the body is over {limit} bytes (limits.body_bytes)")
