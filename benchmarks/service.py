"""Tidemark as a user starts it, `tidemark up`, in a process of its own; and other servers beside it."""

import http.client
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import orjson

START_SECONDS = 60
STOP_SECONDS = 30
RETRY_SHARE = 0.1  # of what Retry-After asks for: it is in whole seconds, and the queue has room long before


class Service(NamedTuple):
    """A server on 127.0.0.1; `ready_seconds` is the time from its start to its first good answer."""

    port: int
    pid: int
    ready_seconds: float

    def get(self, path: str) -> bytes:
        return _call(self.port, "GET", path)

    def post(self, path: str, body: bytes, content_type: str) -> bytes:
        return _call(self.port, "POST", path, body, {"content-type": content_type})

    def query(self, sql: str) -> list[dict[str, object]]:
        """Rows of one SELECT through the read-only ClickHouse endpoint."""
        answer = self.get("/clickhouse/?" + urlencode({"query": f"{sql} FORMAT JSONEachRow"}))
        return [orjson.loads(line) for line in answer.splitlines()]

    def wait_for(self, sql: str, seconds: float = 60) -> float:
        """Seconds until `sql`, a SELECT of one value, gives something true."""
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            if any(value for row in self.query(sql) for value in row.values()):
                return time.perf_counter() - start
            time.sleep(0.01)
        raise TimeoutError(f"still false after {seconds} s: {sql}")

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024


@contextmanager
def up(config: str = "", store: Path | None = None, core: int | None = None) -> Iterator[Service]:
    """`tidemark up` over `store`, a fresh folder without one; on one `core` only when given."""
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        (Path(folder) / "tidemark.yaml").write_text(config)
        tidemark = Path(sys.executable).with_name("tidemark")
        url = f"chdb://{store or Path(folder) / 'store'}"
        with serve([str(tidemark), "up", "--store", url], "/readyz", core, Path(folder)) as service:
            yield service


@contextmanager
def serve(command: Sequence[str], ready: str, core: int | None = None, folder: Path = Path()) -> Iterator[Service]:
    """`command --port PORT`, from its first 200 on the path `ready` to the end of the block."""
    port = free_port()
    start = time.perf_counter()
    process = subprocess.Popen([*_pinned(core), *command, "--port", str(port)], cwd=folder, stdout=sys.stderr)
    try:
        _wait(process, port, ready)
        yield Service(port, process.pid, time.perf_counter() - start)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def run_pinned(command: Sequence[str], core: int) -> str:
    """What `command` prints, run on one core."""
    return subprocess.run([*_pinned(core), *command], stdout=subprocess.PIPE, text=True, check=True).stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def _pinned(core: int | None) -> list[str]:
    if core is None:
        return []
    if not shutil.which("taskset"):
        raise SystemExit("taskset is missing; the Debian package util-linux has it")
    return ["taskset", "-c", str(core)]


def _wait(process: subprocess.Popen[bytes], port: int, ready: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            _call(port, "GET", ready)
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.01)
    raise RuntimeError(f"not ready after {START_SECONDS} s, or stopped: {process.args!r}")


def _call(port: int, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """The body of the answer. A 503 with Retry-After is back-pressure: a good sender waits and sends again."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status < 300:
            return content
        if answer.status != 503 or not (wait := answer.headers["retry-after"]):
            raise http.client.HTTPException(f"{answer.status} {path}: {content[:500]!r}")
        time.sleep(float(wait) * RETRY_SHARE)
