"""Both ends of a tap as bytes on sockets, so that tests see what really passes: a scripted upstream, and a client."""

import http.client
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import NamedTuple

SECONDS = 10


class Request(NamedTuple):
    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> list[bytes]:
        return [value for n, value in self.headers if n.lower() == name]


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer with a content length."""
    lines = "".join(f"{line}\r\n" for line in (*headers, f"content-length: {len(body)}"))
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


class Wire:
    """One connection from the tap to the upstream. Questions for V2 metadata are answered by `metadata`."""

    def __init__(self, connection: socket.socket, metadata: "Script") -> None:
        self._connection, self.file, self._metadata = connection, connection.makefile("rb"), metadata
        self.line, self.headers = b"", list[tuple[bytes, bytes]]()

    def request(self) -> Request:
        """The next request; ConnectionError when there is none."""
        line, headers = self.head()
        said = {name.lower(): value for name, value in headers}
        if said.get(b"transfer-encoding") == b"chunked":
            body = b"".join(self._chunks())
        else:
            body = self.file.read(int(said.get(b"content-length", 0)))
        return Request(line, headers, body)

    def head(self) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        self.line = self.file.readline().rstrip(b"\r\n")
        if not self.line:
            raise ConnectionError
        lines = list(iter(lambda: self.file.readline().rstrip(b"\r\n"), b""))
        self.headers = [(name, value) for name, _, value in (part.partition(b": ") for part in lines)]
        if b"/v2/models/" in self.line and self.line.startswith(b"GET "):
            self._metadata(self)
            return self.head()
        return self.line, self.headers

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def wait_for_end(self) -> None:
        """Return when the tap closes its side."""
        while self.file.read1(65536):
            pass

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.file.readline(), 16):
            yield self.file.read(size)
            self.file.readline()
        self.file.readline()


Script = Callable[[Wire], None]


@dataclass
class Upstream:
    """Runs `script` on each connection; `requests` are those that `answering` scripts have read."""

    port: int
    script: Script = lambda wire: None
    metadata: Script = lambda wire: wire.send(ok(b"", status="404 Not Found"))
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answering(self, *answers: bytes) -> None:
        """Answer every request with the next of `answers`, the last one again and again."""
        left = list(answers)

        def script(wire: Wire) -> None:
            while True:
                self.requests.append(wire.request())
                wire.send(left.pop(0) if len(left) > 1 else left[0])

        self.script = script


@contextmanager
def listening() -> Iterator[Upstream]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = Upstream(listener.getsockname()[1])
        connections: list[socket.socket] = []
        thread = Thread(target=_accept, args=(listener, upstream, connections))
        thread.start()
        yield upstream
        listener.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


def _accept(listener: socket.socket, upstream: Upstream, connections: list[socket.socket]) -> None:
    threads = []
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            upstream.connections += 1
            connections.append(connection)
            threads.append(Thread(target=_talk, args=(connection, upstream)))
            threads[-1].start()
    for thread in threads:
        thread.join()


def _talk(connection: socket.socket, upstream: Upstream) -> None:
    with connection, suppress(OSError):
        connection.settimeout(SECONDS)
        wire = Wire(connection, upstream.metadata)
        upstream.script(wire)
        wire.file.close()


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for n, value in self.headers if n == name]


def send(port: int, request: bytes) -> Answer:
    """One request, byte for byte, on a connection of its own."""
    with connected(port) as connection:
        connection.sendall(request)
        return answer(connection, request.split(b" ", 1)[0].decode())


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def answer(connection: socket.socket, method: str = "POST") -> Answer:
    """The whole next answer; http.client.IncompleteRead when it breaks off."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response.status, response.getheaders(), response.read())


def post(port: int, path: str, body: bytes = b"", **headers: str) -> Answer:
    """A POST; `x_request_id` is the header `x-request-id`."""
    said = {"host": "tap.test", "content-type": "application/json", "content-length": str(len(body))}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return send(port, f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
