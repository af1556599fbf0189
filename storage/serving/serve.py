"""The embedded engine over the ClickHouse HTTP protocol, as an ASGI app: what clickhouse-connect needs of a server.

Every result is complete before the first byte of the answer goes out, so an error always has its own status: there is
no error text after a 200, at the price of holding one result in memory (Limits bounds those of readers).
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

from core.errors import StoreError, StoreUnavailable
from storage.engine import Limits
from storage.engines.handles import Handles
from storage.engines.statement import format_of
from storage.serving.answer import MOST_BYTES, Answer, Work, done, failed
from storage.serving.request import Credentials, Request, Statement

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

OWNER = "owner"


class Access(NamedTuple):
    """What a client may do: everything, or with `limits` only read."""

    limits: Limits | None


Authorise = Callable[[Credentials], Access | None]


def writes_with(token: str, limits: Limits | None = None, reads: Callable[[str], bool] | None = None) -> Authorise:
    """The user `owner` with the token as its password may write; everyone else reads, within limits.

    With `reads` only those whose password it says yes to.
    """

    def authorise(who: Credentials) -> Access | None:
        if who.user != OWNER:
            return Access(limits or Limits()) if reads is None or reads(who.password) else None
        return Access(None) if secrets.compare_digest(who.password.encode(), token.encode()) else None

    return authorise


def clickhouse_app(handles: Handles, authorise: Authorise, threads: int = 8) -> Application:
    """The server as an ASGI app, to be mounted anywhere. Queries run in `threads` threads of its own."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="clickhouse")

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if scope["path"].endswith("/ping") or request.asks_nothing:
            await _send(send, Answer(200, {"Content-Type": "text/html; charset=UTF-8"}, b"Ok.\n"))
            return
        try:
            statement = await _statement(request, receive, authorise)
            work = await _run(handles, statement, pool, receive)
            answer = await asyncio.get_running_loop().run_in_executor(
                pool, done, work, request.query_id, statement.encodings
            )
        except StoreError as e:
            answer = failed(e, request.query_id)
        await _send(send, answer)

    return app


async def _statement(request: Request, receive: Receive, authorise: Authorise) -> Statement:
    """The body is read to its end even for a client that is refused: it would take a reset for a lost connection."""
    who = request.credentials()
    access = authorise(who)
    body = await _body(receive, kept=access is not None)
    if access is None:
        raise StoreError(f"{who.user}: Authentication failed: password is incorrect, or there is no such user", 516)
    return request.statement(body, access.limits)


async def _body(receive: Receive, kept: bool) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise StoreUnavailable("the client went away", 210)
        size += len(message.get("body", b""))
        if kept and size <= MOST_BYTES:
            chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    if kept and size > MOST_BYTES:
        raise StoreError(f"the body is over {MOST_BYTES} bytes", 36)
    return b"".join(chunks)


async def _run(handles: Handles, statement: Statement, pool: ThreadPoolExecutor, receive: Receive) -> Work:
    """The statement in a thread. A reader that hangs up has its query killed; a write goes on to its end."""
    work = asyncio.get_running_loop().run_in_executor(pool, execute, handles, statement)
    if "readonly" not in statement.settings:
        return await work
    gone = asyncio.ensure_future(_hung_up(receive))
    await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
    if gone.done() and not work.done():
        await asyncio.to_thread(_kill, handles, statement.query_id)
    gone.cancel()
    with suppress(asyncio.CancelledError):
        await gone
    return await work


def execute(handles: Handles, statement: Statement) -> Work:
    """Run one statement on a handle of its own, which carries the settings."""
    # chDB ignores a query id; the comment is what finds the query again.
    settings = {**statement.settings, "log_comment": statement.query_id}
    if statement.insert:
        return _work(handles.insert(statement.insert, statement.rows, **settings))
    with handles.borrow(**settings) as handle:
        result = handle.query(statement.sql, statement.format, params=dict(statement.params))
        return _work(result, format_of(statement.sql) or statement.format)


def _work(result: Any, result_format: str = "") -> Work:
    body: bytes = result.bytes()
    return Work(
        body=body,
        format=result_format if body else "",
        read_rows=result.storage_rows_read(),
        read_bytes=result.storage_bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        seconds=result.elapsed(),
    )


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _kill(handles: Handles, query_id: str) -> None:
    with handles.borrow() as handle:
        condition = "Settings['log_comment'] = {id:String}"
        handle.query(f"KILL QUERY WHERE {condition} ASYNC", "Null", params={"id": query_id})


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (k.lower().encode(), v.encode()) for k, v in {**answer.headers, "Content-Length": str(len(answer.body))}.items()
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
