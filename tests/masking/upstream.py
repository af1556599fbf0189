"""A small model behind a real HTTP server: answers, fails with what it was sent, and breaks the protocol, as asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(404, b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        mode = self.headers.get("x-mode", "")
        if mode == "fails":
            self._answer(422, json.dumps({"detail": f"cannot take {body.decode()}"}).encode())
        elif mode == "breaks":
            self.wfile.write(b"NOT HTTP " + body[:200] + b"\r\n\r\n")
            self.close_connection = True
        elif mode == "garbles":
            self._answer(200, b"{" + body)
        else:
            self._answer(200, json.dumps({"outputs": json.loads(body)["inputs"]}).encode())

    def log_message(self, format: str, *args: object) -> None: ...

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def upstream() -> Iterator[str]:
    """Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
