"""`tidemark up` in front of an upstream, and the calls that the tests make."""

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import orjson
import requests
from payloads import Poison

from tidemark.demo.processes import free_port

ANSWER_SECONDS = 10
MODEL = "poisoned"
START_SECONDS = 60


class Upstream(BaseHTTPRequestHandler):
    """An inference server that answers with what `x-answer` says, else with a good answer."""

    protocol_version = "HTTP/1.1"
    answers: Mapping[str, Poison] = {}

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(self.answers.get(self.headers.get("x-answer", ""), Poison(b'{"outputs":[]}')))

    def do_GET(self) -> None:
        self._answer(Poison(b"{}"))

    def _answer(self, poison: Poison) -> None:
        self.send_response(200)
        headers = {"content-type": "application/json", **poison.headers, "content-length": str(len(poison.body))}
        for name, value in {**headers, "x-poison": self.headers.get("x-poison", "")}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(poison.body)

    def log_message(self, format: str, *args: Any) -> None: ...


class Tidemark(NamedTuple):
    port: int
    process: "subprocess.Popen[bytes]"

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def good(self, id: str) -> str:
        """A good prediction, which must be taken."""
        body = orjson.dumps({"model": MODEL, "predictions": [{"id": id, "inputs": {"x": 1}}]})
        assert self.post("/api/predictions", body, {"content-type": "application/json"})[0] == 202
        return id

    def ask(self, sql: str) -> list[list[Any]]:
        query = {"query": f"{sql} FORMAT JSONCompact"}
        answer = requests.get(f"http://127.0.0.1:{self.port}/clickhouse/", query, timeout=30)
        assert answer.ok, answer.text
        rows: list[list[Any]] = answer.json()["data"]
        return rows

    def peak_bytes(self) -> int:
        """The most memory that the process ever took."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024


@contextmanager
def tidemark(folder: Path, answers: Mapping[str, Poison]) -> Iterator[Tidemark]:
    """`tidemark up` with a tap `m` in front of an upstream that knows `answers`."""
    handler = type("Answering", (Upstream,), {"answers": answers})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as upstream:
        Thread(target=upstream.serve_forever, daemon=True).start()
        path = folder / "tidemark.yaml"
        path.write_text(f"taps: [{{name: m, upstream: 'http://127.0.0.1:{upstream.server_port}'}}]\nauto: false\n")
        port = free_port()
        command = [sys.executable, "-m", "tidemark.cli", "up", "--store", f"chdb://{folder / 'store'}"]
        with (folder / "up.log").open("wb") as log:
            process = subprocess.Popen([*command, "--config", str(path), "--port", str(port)], stderr=log)
        try:
            _wait(f"http://127.0.0.1:{port}/readyz", process)
            yield Tidemark(port, process)
        finally:
            process.terminate()
            process.wait(30)
            upstream.shutdown()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None and time.monotonic() < deadline
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
