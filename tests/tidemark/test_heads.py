"""Heads that are too long, over a real socket, however they are cut into packets."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from time import sleep

import pytest
import uvicorn

from collectors.taps.asgi import Receive, Scope, Send, answer
from core.config import Limits
from core.errors import Rejected
from tidemark.heads import Guard

LIMITS = Limits(headers=16, header_bytes=4096)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await answer(send, 200, b"hello")


@contextmanager
def serving(refused: list[Rejected]) -> Iterator[int]:
    config = uvicorn.Config(hello, port=0, http=Guard(LIMITS, refused.append), lifespan="off", log_config=None)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        sleep(0.002)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def ask(port: int, *parts: bytes) -> bytes:
    """Everything that is answered to what is sent in these packets."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
            sleep(0.01)  # so that each is a packet of its own
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


POST = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
FLOOD = b"".join(b"x%d: v\r\n" % n for n in range(100))


@pytest.mark.parametrize(
    "parts",
    [
        (POST + b"\r\nok",),
        (POST[:9], POST[9:], b"\r\n", b"o", b"k"),
        (POST + b"x: " + b"v" * 4_000 + b"\r\n\r\nok",),
        (POST.replace(b"2", b"9000") + b"\r\n" + b"b" * 9_000,),
        (POST + b"\r\nok" + POST + b"\r\n", b"ok"),
    ],
)
def test_what_is_within_the_limits_is_answered(parts: tuple[bytes, ...]) -> None:
    refused: list[Rejected] = []
    with serving(refused) as port:
        assert ask(port, *parts).startswith(b"HTTP/1.1 200")
    assert not refused


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        ((POST + FLOOD + b"\r\nok",), "headers"),
        ((POST, FLOOD, b"\r\nok"), "headers"),
        ((POST + b"x: " + b"v" * 5_000 + b"\r\n\r\nok",), "header_bytes"),
        ((POST + b"x: ", *[b"v" * 1_000] * 8), "header_bytes"),
        ((b"POST /" + b"p" * 5_000 + b" HTTP/1.1\r\n\r\n",), "header_bytes"),
    ],
)
def test_a_head_that_is_too_long_is_refused_once_by_the_name_of_its_limit(parts: tuple[bytes, ...], key: str) -> None:
    refused: list[Rejected] = []
    with serving(refused) as port:
        said = ask(port, *parts)
    assert said.startswith(b"HTTP/1.1 431") and b"application/problem+json" in said
    assert f"(limits.{key})".encode() in said
    assert [error.status for error in refused] == [431]


def test_a_flood_of_trailers_ends_the_connection() -> None:
    refused: list[Rejected] = []
    with serving(refused) as port, suppress(OSError):
        ask(port, CHUNKED, b"2\r\nok\r\n0\r\n", FLOOD, FLOOD)
    assert [error.code for error in refused] == ["too_many_headers"]
