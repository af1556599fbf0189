"""The store is slow, away, or does what it was asked and cannot say so: nothing is lost or doubled, no sender knows."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from breaking_proxy import BreakingProxy, Fault
from senders import Sent, sending

from storage import open_engine
from storage.engine import Engine
from tidemark.demo.processes import free_port, running

pytestmark = pytest.mark.alone

SECONDS = float(os.environ.get("TORTURE_SECONDS", "20"))
FAULTS: dict[Fault, float] = {
    "refuse": 0.1,
    "cut_request": 0.15,
    "lose_answer": 0.3,
    "truncate_answer": 0.15,
    "delay": 0.2,
}
START_SECONDS = 60.0


def test_what_was_acknowledged_is_stored_once_whatever_happens_to_the_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with store(tmp_path) as port, BreakingProxy(port).running() as proxy:
        up, down = Sent(), Sent()
        with collecting(tmp_path, proxy.port) as (process, tap):
            with sending(tap, up):
                time.sleep(SECONDS / 5)
            with sending(tap, down):
                torment(proxy)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (tmp_path / "collect.log").read_text()
        engine = open_engine(f"clickhouse://127.0.0.1:{port}/tidemark")
        stored, raw = ids(engine, "predictions FINAL"), ids(engine, "predictions")
        dead = engine.rows("SELECT reason, count() AS n FROM dead_letters GROUP BY reason")
        engine.close()
    sent = up.ids + down.ids
    with capsys.disabled():
        asked = (tmp_path / "collect.log").read_text().count("whose insert had no answer")
        twice = raw.total() - len(raw)
        print(f" [{len(sent)} acknowledged, {dict(proxy.done)}, {asked} asked for, {twice} stored twice and collapsed;")
        print(f"  seconds to answer: {quantiles(up)} with the store up, {quantiles(down)} without]", end="")
    assert {status for status in up.statuses + down.statuses if status // 100 != 2} == set()
    assert len(sent) > 100 * SECONDS and proxy.done.total() > SECONDS / 4 and proxy.done["lose_answer"]
    assert {id: stored[id] for id in sent if stored[id] != 1} == {}
    assert {id: n for id, n in stored.items() if n != 1} == {}
    assert dead == []
    assert_outages_are_told_once((tmp_path / "collect.log").read_text())


def assert_outages_are_told_once(log: str) -> None:
    lines = [json.loads(line) for line in log.splitlines()]
    told = [line["message"][:20] for line in lines if line["message"].startswith("the store ")]
    assert told[:2] == ["the store cannot be ", "the store is back: w"]
    assert all(one != following for one, following in pairwise(told))
    assert {line["logger"].split(".")[0] for line in lines if line["level"] != "error"} == {"tidemark"}


def torment(proxy: BreakingProxy) -> None:
    """By turns: faults at random, nobody there, all well; all well at the end."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        proxy.chances = FAULTS
        time.sleep(random.uniform(2, 5))
        proxy.gone = True
        time.sleep(random.uniform(0.2, 2))
        proxy.gone, proxy.chances = False, {}
        time.sleep(random.uniform(0.1, 1))


def test_a_collector_that_cannot_reach_its_store_at_the_start_says_so_and_ends(tmp_path: Path) -> None:
    command = collect(tmp_path, free_port(), free_port())
    ended = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)
    assert ended.returncode == 1
    assert "refused" in ended.stderr and "Traceback" not in ended.stderr


@contextmanager
def store(folder: Path) -> Iterator[int]:
    port = free_port()
    arguments = ["serve-store", "--store", f"chdb://{folder / 'store'}", "--port", str(port)]
    with running("tidemark.cli", arguments, folder / "store.log", f"http://127.0.0.1:{port}/ping"):
        yield port


def collect(folder: Path, store_port: int, port: int) -> list[str]:
    config = folder / "tidemark.yaml"
    config.write_text(f"wal: {{dir: {folder / 'wal'}}}\n")
    address = f"clickhouse://127.0.0.1:{store_port}/tidemark?timeout=3"
    arguments = ["collect", "--store", address, "--config", str(config), "--port", str(port)]
    return [sys.executable, "-m", "tidemark.cli", *arguments]


@contextmanager
def collecting(folder: Path, store_port: int) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    port = free_port()
    with (folder / "collect.log").open("wb") as output:
        process = subprocess.Popen(collect(folder, store_port, port), stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while "listening" not in (said := (folder / "collect.log").read_text()) or not ready(port):
            assert process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.05)
        yield process, port
    finally:
        process.kill()
        process.wait(20)


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def ids(engine: Engine, source: str) -> "Counter[str]":
    return Counter(engine.arrow(f"SELECT id FROM {source}").column("id").to_pylist())


def quantiles(sent: Sent) -> str:
    seconds = [taken for _, taken in sent.seconds]
    return ", ".join(f"p{q * 100:g} {np.quantile(seconds, q) * 1e3:.0f} ms" for q in (0.5, 0.99))
