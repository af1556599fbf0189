"""`tidemark up` is killed at random instants under load: what it had answered 2xx is there after the restart, once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import pytest

from storage import open_engine
from tidemark.demo.processes import free_port

SECONDS = float(os.environ.get("TORTURE_SECONDS", "25"))
START_SECONDS = 60
TENSOR = {"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [7]}
ROWS_PER_CALL = 5


class Acknowledged(NamedTuple):
    """Ids answered 2xx: of rows, of pairs with both halves, and of requests whose response was never sent."""

    rows: list[str]
    pairs: list[str]
    alone: list[str]


def test_what_was_acknowledged_survives_a_kill_at_any_instant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent, kills, until = Acknowledged([], [], []), 0, time.monotonic() + SECONDS
    while time.monotonic() < until:
        with up(tmp_path) as (process, port), loading(port, f"k{kills}", sent):
            # By turns before the log lets go of anything, after six seconds, and well after.
            time.sleep(random.uniform(7.5, 10) if kills % 3 == 1 else random.uniform(0.2, 3))
            process.kill()
        kills += 1
    with up(tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    stored = Counter(column(tmp_path, "SELECT id AS x FROM predictions FINAL"))
    waiting = Counter(column(tmp_path, "SELECT request_id AS x FROM halves FINAL WHERE done = 0"))
    numbers = ", ".join(f"{len(ids)} {name}" for name, ids in sent._asdict().items())
    with capsys.disabled():
        print(f" [{kills} kills, {numbers}] ", end="")
    assert min(map(len, sent)) > 20 * kills
    assert {id: stored[id] for id in sent.rows + sent.pairs if stored[id] != 1} == {}
    assert {id: n for id, n in stored.items() if n != 1} == {}
    assert {id: waiting[id] for id in sent.alone if (waiting[id], stored[id]) != (1, 0)} == {}
    assert {id for id in sent.pairs if waiting[id]} == set()


@contextmanager
def up(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    port, log = free_port(), folder / "up.log"
    command = [sys.executable, "-m", "tidemark.cli", "up", "--store", f"chdb://{folder / 'store'}", "--port", str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process, port
    finally:
        process.kill()
        process.wait(20)


def ready(port: int) -> bool:
    with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


@contextmanager
def loading(port: int, name: str, sent: Acknowledged) -> Iterator[None]:
    """Six clients that send until the server is gone."""
    stop, work = Event(), (rows, rows, pairs, pairs, pairs, alone)
    with ThreadPoolExecutor(len(work)) as threads, ExitStack() as stack:
        clients = [stack.enter_context(closing(Client(port))) for _ in work]
        named = enumerate(zip(work, clients, strict=True))
        running = [threads.submit(send, client, f"{name}-{n}", sent, stop) for n, (send, client) in named]
        yield
        stop.set()
        for ended in running:
            ended.result()


class Client:
    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=10)

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: Any, **headers: str) -> bool:
        """Whether the answer was 2xx; False when none came."""
        with suppress(OSError, HTTPException):
            said = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
            self._connection.request("POST", path, json.dumps(body), said)
            answer = self._connection.getresponse()
            answer.read()
            return answer.status // 100 == 2
        return False

    def half(self, kind: str, id: str) -> bool:
        said = {"ce_id": id, "ce_type": f"org.kubeflow.serving.inference.{kind}", "ce_source": "s"}
        body = {"inputs" if kind == "request" else "outputs": [TENSOR]}
        return self.post("/", body, ce_specversion="1.0", ce_inferenceservicename="m", ce_namespace="default", **said)


def rows(client: Client, name: str, sent: Acknowledged, stop: Event) -> None:
    for number in count():
        ids = [f"{name}-{number}-{row}" for row in range(ROWS_PER_CALL)]
        body = {"model": "r", "predictions": [{"id": id, "inputs": {"n": number}} for id in ids]}
        if stop.is_set() or not client.post("/api/predictions", body):
            return
        sent.rows.extend(ids)


def pairs(client: Client, name: str, sent: Acknowledged, stop: Event) -> None:
    """In either order."""
    for number in count():
        kinds = random.sample(["request", "response"], 2)
        if stop.is_set() or not all(client.half(kind, f"{name}-{number}") for kind in kinds):
            return
        sent.pairs.append(f"{name}-{number}")


def alone(client: Client, name: str, sent: Acknowledged, stop: Event) -> None:
    for number in count():
        if stop.is_set() or not client.half("request", f"{name}-{number}"):
            return
        sent.alone.append(f"{name}-{number}")


def column(folder: Path, sql: str) -> list[str]:
    engine = open_engine(f"chdb://{folder / 'store'}")
    try:
        found: list[str] = engine.arrow(sql)["x"].to_pylist()
        return found
    finally:
        engine.close()
