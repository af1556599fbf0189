"""The roles as processes of their own, on one store behind `tidemark serve-store`."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import requests

from tidemark.demo.processes import free_port, running

CONFIG = """
monitors:
  - name: income-drift
    model: income
    reference: {first_rows: 500}
    window: {rows: 500}
    steps: [{name: drift, use: ks}, {name: outliers, use: isolation_forest}]
"""


class Roles(NamedTuple):
    collect: str
    pipeline: str


@pytest.fixture
def roles(tmp_path: Path) -> Iterator[Roles]:
    config = tmp_path / "tidemark.yaml"
    config.write_text(f"{CONFIG}wal: {{dir: {tmp_path / 'wal'}}}\n")
    ports = [free_port() for _ in range(3)]
    store = f"clickhouse://127.0.0.1:{ports[0]}/tidemark"
    commands = (
        ("serve-store", ["--store", f"chdb://{tmp_path / 'store'}"], "ping"),
        ("collect", ["--store", store, "--config", str(config)], "readyz"),
        ("pipeline", ["--store", store, "--config", str(config)], "readyz"),
    )
    with ExitStack() as stack:
        for (name, options, ready), port in zip(commands, ports, strict=True):
            arguments = [name, *options, "--port", str(port)]
            ready_url = f"http://127.0.0.1:{port}/{ready}"
            stack.enter_context(running("tidemark.cli", arguments, tmp_path / f"{name}.log", ready_url))
        yield Roles(*(f"http://127.0.0.1:{port}" for port in ports[1:]))


def test_what_one_process_collects_another_watches(roles: Roles) -> None:
    rng = np.random.default_rng(0)
    send(roles, rng.normal(40, 10, size=1000), "calm")
    send(roles, rng.normal(60, 10, size=500), "shifted")
    found = eventually(lambda: [r for r in results(roles) if r["step"] == "drift" and r["field"] == "age"], 2)
    assert [r["fired"] for r in sorted(found, key=lambda r: r["window_end"])] == [False, True]
    outlying = eventually(lambda: [r for r in results(roles) if r["step"] == "outliers"], 2)
    assert any(r["fired"] for r in outlying)
    shifted = requests.get(f"{roles.collect}/api/predictions/shifted-0", timeout=10).json()
    assert {r["step"] for r in shifted["results"]} == {"drift", "outliers"}
    assert shifted["scores"][0]["step"] == "outliers"
    assert 'tidemark_fired{field="age"' in requests.get(f"{roles.pipeline}/metrics", timeout=10).text


def test_a_role_that_only_watches_takes_no_predictions(roles: Roles) -> None:
    answer = requests.post(f"{roles.pipeline}/api/predictions", json={"model": "income", "predictions": []}, timeout=10)
    assert answer.status_code == 405


def send(roles: Roles, ages: Any, name: str) -> None:
    rows = [{"id": f"{name}-{i}", "inputs": {"age": age, "half": age / 2}} for i, age in enumerate(ages.tolist())]
    body = {"model": "income", "predictions": rows}
    answer = requests.post(f"{roles.collect}/api/predictions", json=body, timeout=10)
    assert answer.json() == {"accepted": len(rows), "duplicate": 0, "rejected": []}
    time.sleep(1.5)  # row windows go by the time of receipt


def results(roles: Roles) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{roles.pipeline}/api/results", timeout=10).json()["results"]
    return found


def eventually(look: Any, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 30
    while len(found := look()) < count:
        assert time.monotonic() < deadline, f"only {found}"
        time.sleep(0.3)
    rows: list[dict[str, Any]] = found
    return rows
