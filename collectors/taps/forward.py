"""Forwarding of one HTTP call to an upstream, byte for byte, keeping a copy of what passes."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from typing import NamedTuple

import aiohttp
from yarl import URL

from collectors.taps.asgi import Message, Receive, Scope, Send, answer
from collectors.taps.passed import Copy, Passed
from core.errors import Rejected, TidemarkError

# Of one connection only, never passed on (RFC 9110, section 7.6.1). An expectation was met by the server before us, and
# an upstream that ignores it would be waited for.
_HOP_BY_HOP = {
    b"connection",
    b"expect",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
_ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
_STATUSES = range(200, 600)  # of a final answer (RFC 9110, section 15)
_NOT_MODIFIED = 304  # may name the length of a body that it does not have, which ASGI servers take for a broken one
_LONGEST_HEADER = 2**20
_REST_SECONDS = 1.0  # how long a client is given to send the rest of a request that no upstream takes


class Incoming(NamedTuple):
    """A call as the ASGI server hands it over."""

    scope: Scope
    receive: Receive
    send: Send


class UpstreamFailed(TidemarkError):
    """The upstream cannot be reached, or broke off before its answer was whole."""


class ClientGone(TidemarkError):
    """The client went away before its request or its answer was whole."""


def upstream_session() -> aiohttp.ClientSession:
    """A pool of connections that adds nothing to what passes and keeps nothing of it."""
    return aiohttp.ClientSession(
        auto_decompress=False,
        # uvicorn, and so MLServer and KServe, closes a connection that was idle for 5 s: never use it just then.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4),
        cookie_jar=aiohttp.DummyCookieJar(),
        max_field_size=_LONGEST_HEADER,
        max_line_size=_LONGEST_HEADER,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
    )


async def forward(session: aiohttp.ClientSession, url: URL, incoming: Incoming, passed: Passed) -> None:
    """Send a call on to `url` and its answer back; `passed` gets the copies as they go by.

    UpstreamFailed and ClientGone leave the answer unfinished, and not begun when `passed.status` is 0.
    """
    scope, receive, send = incoming
    asked = asyncio.Event()
    body = _body(receive, passed.request, asked) if _has_body(scope) else None
    if body is None:
        passed.request.ended = True
        asked.set()
    call = asyncio.ensure_future(_call(_request(session, url, scope, body), send, passed))
    gone = asyncio.ensure_future(_gone(receive, asked))
    try:
        await asyncio.wait((call, gone), return_when=asyncio.FIRST_COMPLETED)
        if not passed.response.ended and (passed.request.broken or not call.done()):
            raise ClientGone(f"the client went away before its {'answer' if asked.is_set() else 'request'} was whole")
        await call
    except UpstreamFailed:
        if not (passed.status or asked.is_set()):
            await _read_rest(receive, passed.request, asked)
        raise
    finally:
        call.cancel()
        gone.cancel()
        await asyncio.gather(call, gone, return_exceptions=True)


async def bad_gateway(send: Send) -> None:
    body = b'{"error":"the upstream of this tap did not answer"}'
    await answer(send, 502, body, [(b"content-type", b"application/json")])


def _request(
    session: aiohttp.ClientSession, url: URL, scope: Scope, body: AsyncIterator[bytes] | None
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    return session.request(
        scope["method"],
        url,
        data=body,
        headers=[(name.decode("latin-1"), _text(value)) for name, value in _passing(scope["headers"])],
        allow_redirects=False,
        skip_auto_headers=_ADDED_BY_AIOHTTP,
    )


async def _call(request: AbstractAsyncContextManager[aiohttp.ClientResponse], send: Send, passed: Passed) -> None:
    try:
        async with request as response:
            if response.status not in _STATUSES:
                raise UpstreamFailed(f"it answered with the status {response.status}")
            await _pass_back(response, send, passed)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise UpstreamFailed(f"{type(error).__name__}: {error}") from error


async def _pass_back(response: aiohttp.ClientResponse, send: Send, passed: Passed) -> None:
    raw = [(name.lower(), value) for name, value in _passing(response.raw_headers)]
    if response.status == _NOT_MODIFIED:
        raw = [(name, value) for name, value in raw if name != b"content-length"]
    passed.status = response.status
    passed.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    async for chunk in response.content.iter_any():
        passed.response.add(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    passed.response.ended = True
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive, asked: asyncio.Event) -> None:
    """Return when the client is there no more; before `asked`, what it sends belongs to its request."""
    await asked.wait()
    while (await receive())["type"] != "http.disconnect":
        pass


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


async def _body(receive: Receive, copy: Copy, asked: asyncio.Event) -> AsyncIterator[bytes]:
    message: Message = {"more_body": True}
    while message.get("more_body"):
        try:
            message = await receive()
        except Rejected:  # a body that came too slowly
            message = {"type": "http.disconnect"}
        if message["type"] == "http.disconnect":
            copy.broken = True
            raise ConnectionResetError("the client went away before its request was whole")
        part = message.get("body", b"")
        copy.add(part)
        if not message.get("more_body"):
            copy.ended = True
            asked.set()
        if part:
            yield part


async def _read_rest(receive: Receive, copy: Copy, asked: asyncio.Event) -> None:
    """An inference that failed is recorded with its request, though the upstream did not take it."""
    with suppress(TimeoutError, ConnectionResetError):
        async with asyncio.timeout(_REST_SECONDS):
            async for _ in _body(receive, copy, asked):
                if not copy.whole:
                    return


def _passing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Headers without those of one connection, the ones that `connection` names included."""
    headers = list(headers)
    named = {n.strip().lower() for name, value in headers if name.lower() == b"connection" for n in value.split(b",")}
    return [(n, v) for n, v in headers if n.lower() not in _HOP_BY_HOP and n.lower() not in named]


def _text(value: bytes) -> str:
    """A header's value as aiohttp will write it, which is in UTF-8 always."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
