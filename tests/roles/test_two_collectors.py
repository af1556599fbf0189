"""Halves forced apart: each pair is one prediction, whichever of two collectors gets which half, and when."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tidemark.demo.processes import free_port, running

START_SECONDS, SETTLED_SECONDS = 60, 30
PAIRS = 12  # of each order in each round
OTHER = {"request": "response", "response": "request"}


class Collect:
    """`tidemark collect` that can be stopped, killed and started again over its own log."""

    def __init__(self, folder: Path, store: str) -> None:
        folder.mkdir()
        config = folder / "tidemark.yaml"
        config.write_text(f"wal: {{dir: {folder / 'wal'}}}\npairing: {{orphan_after: 6s}}\n")
        port, self.log = free_port(), folder / "log"
        options = ["--store", store, "--config", str(config), "--port", str(port)]
        self._command = [sys.executable, "-m", "tidemark.cli", "collect", *options]
        self.url = f"http://127.0.0.1:{port}"
        self.begin()

    def begin(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stderr=output)

    def ready(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def end(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        self._process.wait(20)

    def half(self, kind: str, id: str, model: str = "apart") -> None:
        side = "inputs" if kind == "request" else "outputs"
        tensor = {"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [len(id), 2.5]}
        headers = {
            "ce-id": id,
            "ce-type": f"org.kubeflow.serving.inference.{kind}",
            "ce-source": "s",
            "ce-specversion": "1.0",
            "ce-time": "2026-11-01T12:00:00Z",
            "ce-inferenceservicename": model,
            "ce-namespace": "default",
        }
        answer = requests.post(self.url, json={side: [tensor]}, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=20)

    def counts(self, line: str) -> bool:
        return line in self.get("/metrics").text.splitlines()


class Two:
    def __init__(self, store: str, first: Collect, second: Collect) -> None:
        self.store, self.first, self.second = store, first, second

    def rows(self, sql: str) -> list[list[str]]:
        answer = requests.post(self.store, params={"database": "tidemark", "query": f"{sql} FORMAT TSV"}, timeout=20)
        assert answer.ok, answer.text
        return [line.split("\t") for line in answer.text.splitlines()]

    def ledger(self) -> Counter[str]:
        """Both ledgers added up: of each line the newest that either knows."""
        entries = [e for one in (self.first, self.second) for e in one.get("/api/ledger").json()["entries"]]
        newest: dict[tuple[str, ...], dict[str, Any]] = {}
        for entry in sorted(entries, key=lambda e: str(e["time"])):
            newest[tuple(entry[name] for name in ("collector", "tap", "namespace", "model", "unit"))] = entry
        found: Counter[str] = Counter()
        for entry in newest.values():
            if entry["unit"] == "row" and entry["model"] == "apart":
                found.update({name: n for name, n in entry.items() if isinstance(n, int)})
                found["wrong"] += abs(entry["difference"])
        return found


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder, port = tmp_path_factory.mktemp("two"), free_port()
    options = ["--store", f"chdb://{folder / 'store'}", "--port", str(port)]
    with ExitStack() as stack:
        ready = f"http://127.0.0.1:{port}/ping"
        stack.enter_context(running("tidemark.cli", ["serve-store", *options], folder / "serve-store.log", ready))
        collectors = []
        for name in ("first", "second"):
            one = Collect(folder / name, f"clickhouse://127.0.0.1:{port}/tidemark")
            stack.callback(one.end, signal.SIGTERM)
            eventually(one.ready, START_SECONDS)
            collectors.append(one)
        yield Two(f"http://127.0.0.1:{port}/", *collectors)


def test_a_request_counts_as_unanswered_until_its_late_response_comes_to_another_collector(two: Two) -> None:
    two.first.half("request", "slow", "late")
    eventually(lambda: two.first.counts('tidemark_orphans_total{model="late",namespace="default"} 1.0'))
    of_model = 'tidemark_inference_total{model="late",namespace="default"'
    assert two.first.counts(f'{of_model},status="0",version=""}} 2.0')
    orphan = two.second.get("/api/predictions/slow").json()["rows"]
    assert [(row["state"], row["status"]) for row in orphan] == [("orphan", 0)] * 2
    assert two.second.get("/api/predictions?status=0").json()["predictions"] == []
    two.second.half("response", "slow", "late")
    eventually(lambda: two.second.counts(f'{of_model},status="200",version=""}} 2.0'))
    stored = two.first.get("/api/predictions/slow").json()["rows"]
    assert [(row["state"], row["status"]) for row in stored] == [("stored", 200)] * 2


def test_each_pair_forced_apart_is_one_prediction_over_restarts_and_kills(two: Two) -> None:
    first, second, sent = two.first, two.second, []
    sent += apart(two, "at-once", lambda: None)
    sent += apart(two, "over-a-stop", lambda: restarted(first, signal.SIGTERM))
    sent += apart(two, "over-a-kill", lambda: restarted(second, signal.SIGKILL))
    sent += apart(two, "late", lambda: time.sleep(6))  # the halves are in the store by then
    restarted(first, signal.SIGKILL)
    rows = [f"{id}-{row}" for id in sent for row in range(2)]
    stored = "SELECT id, count() FROM predictions FINAL WHERE model = 'apart' GROUP BY id"
    eventually(lambda: len(two.rows(stored)) == len(rows))
    waiting = "SELECT kind, request_id FROM halves FINAL WHERE done = 0"
    eventually(lambda: not two.rows(waiting), why=lambda: two.rows(waiting))
    assert sorted(two.rows(stored)) == sorted([id, "1"] for id in rows)
    eventually(lambda: not (found := two.ledger())["orphans"] and not found["in_flight"], why=two.ledger)
    assert two.ledger()["wrong"] == 0


def apart(two: Two, name: str, between: Callable[[], None]) -> list[str]:
    """Pairs in both orders, one half to each collector; some of the halves to the other collector as well."""
    ids = [f"{name}-{kind}-{n}" for kind in OTHER for n in range(PAIRS)]
    kinds = [kind for kind in OTHER for _ in range(PAIRS)]
    for id, kind in zip(ids, kinds, strict=True):
        two.first.half(kind, id)
    between()
    for n, (id, kind) in enumerate(zip(ids, kinds, strict=True)):
        two.second.half(OTHER[kind], id)
        if n % 4 in (1, 3):
            two.second.half(kind, id)
        if n % 4 in (2, 3):
            two.first.half(OTHER[kind], id)
    return ids


def restarted(one: Collect, how: signal.Signals) -> None:
    one.end(how)
    one.begin()
    eventually(one.ready, START_SECONDS)


def eventually(
    look: Callable[[], Any], seconds: float = SETTLED_SECONDS, why: Callable[[], Any] = lambda: "in time"
) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"it did not happen: {why()}"
        time.sleep(0.1)
