"""A scripted server for the tests: it answers clickhouse-connect's hello, and then whatever the test says."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import NamedTuple
from urllib.parse import unquote_plus

import pyarrow as pa

Lie = Callable[[socket.socket], None]


class Peer(NamedTuple):
    port: int
    lied_to: list[str]  # the statements it was asked after the hello


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def arrow_file(**columns: list[object]) -> bytes:
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


HELLO = {
    "SELECT version(), timezone()": response(b"26.9.2.1\tUTC\n", "X-ClickHouse-Format: TabSeparated"),
    "FROM system.settings": response(b""),
    "SELECT 1 AS check": response(b""),
    "FROM system.databases": response(arrow_file(name=["tidemark"])),
}


@contextmanager
def lying(lie: Lie) -> Iterator[Peer]:
    listener = socket.create_server(("127.0.0.1", 0))
    peer = Peer(listener.getsockname()[1], [])
    threads: list[Thread] = []
    open_connections: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_connections.append(connection)
                threads.append(Thread(target=_serve, args=(connection, lie, peer.lied_to)))
                threads[-1].start()

    acceptor = Thread(target=accept)
    acceptor.start()
    yield peer
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    acceptor.join()
    for connection in open_connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()


def _serve(connection: socket.socket, lie: Lie, lied_to: list[str]) -> None:
    with connection, suppress(OSError):
        while request := _read(connection):
            known = [answer for part, answer in HELLO.items() if part in request]
            if known:
                connection.sendall(known[0])
            else:
                lied_to.append(request)
                lie(connection)


def _read(connection: socket.socket) -> str:
    """A request's address and body as text; '' when the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return ""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(lengths[0] if lengths else 0):
        body += connection.recv(65536)
    return unquote_plus(head.split()[1].decode()) + " " + body.decode("latin-1")
