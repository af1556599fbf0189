"""With rules, no byte that `tidemark up` writes or says holds a value they are for, whichever tap it came through."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from canaries import Canaries, files, tables
from traffic import MODEL, Traffic
from upstream import upstream

from tidemark.demo.processes import free_port

CONFIG = """
models:
  income: {{names: {{profile: [age, salary, email_work]}}}}
taps: [{{name: mine, upstream: "{upstream}", tags: [x-user, customer]}}]
{masking}
"""
MASKING = """
masking:
  key: {env: TIDEMARK_MASKING_KEY}
  rules:
    - {field: ssn, do: drop}
    - {field: "email*", model: income, do: hash}
    - {field: salary, do: {truncate: 2}}
    - {field: note, do: {pattern: "CANARY\\\\w+", with: "#", longest: 200}}
    - {field: face, do: {constant: 0}}
    - {tag: customer, do: hash}
    - {header: x-user, do: drop}
"""


def test_without_rules_every_canary_is_found(tmp_path: Path) -> None:
    """Else finding none would prove nothing."""
    canaries = Canaries()
    seen = run(tmp_path, "", canaries, signal.SIGTERM)
    assert canaries.planted.keys() - canaries.found_in(seen).keys() == set()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_with_rules_no_canary_is_anywhere(tmp_path: Path, end: signal.Signals) -> None:
    """Killed, what came is in the log; it is looked through, and the store again after the log was taken up."""
    canaries = Canaries()
    seen = run(tmp_path, MASKING, canaries, end)
    assert canaries.found_in(seen) == {}
    if end is signal.SIGKILL:
        assert sum(len(content) for name, content in seen.items() if name.endswith(".wal")) > 10_000
        with up(tmp_path, MASKING, "http://127.0.0.1:9") as (process, _):
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        seen = written(tmp_path)
        assert canaries.found_in(seen) == {}
    assert b"'plan':'free'" in seen["table predictions"]
    assert seen["table predictions"].count(b"'age':") > 10
    if end is signal.SIGTERM:  # a letter that was not stored yet dies with the process: its sender was refused
        assert seen["table dead_letters"].count(b"masking_failed") >= 3
        assert seen["table dead_letters"].count(b"unnamed_columns") >= 2


def run(folder: Path, masking: str, canaries: Canaries, end: signal.Signals) -> dict[str, bytes]:
    """All that was written and said, and all that `tidemark up` answered."""
    with upstream() as model, up(folder, masking, model) as (process, url):
        traffic = Traffic(url, canaries)
        traffic.send_all()
        answers = dict(traffic.answers) if masking else {}
        if end is signal.SIGTERM:
            eventually(lambda: stored(url) >= 10)
            answers |= asked(url)
        else:
            answers["/metrics"] = requests.get(f"{url}/metrics", timeout=20).content
        process.send_signal(end)
        process.wait(20)
    return {**written(folder), **answers}


def written(folder: Path) -> dict[str, bytes]:
    found = {f"file {name}": content for name, content in files(folder).items() if name != "tidemark.yaml"}
    return {**found, **{f"table {name}": content for name, content in tables(f"chdb://{folder / 'store'}").items()}}


def asked(url: str) -> dict[str, bytes]:
    paths = ["/metrics", "/api/models", "/api/predictions?limit=1000", "/api/results", "/api/alerts"]
    paths += [f"/api/predictions/{id}" for id in ("pair", "v1", "lone-request", "lone-response", "failed")]
    return {path: requests.get(f"{url}{path}", timeout=20).content for path in paths}


def stored(url: str) -> int:
    found: dict[str, Any] = requests.get(f"{url}/api/predictions?model={MODEL}&limit=1000", timeout=20).json()
    return len(found["predictions"])


@contextmanager
def up(folder: Path, masking: str, model: str) -> "Iterator[tuple[subprocess.Popen[bytes], str]]":
    path, port = folder / "tidemark.yaml", free_port()
    path.write_text(CONFIG.format(upstream=model, masking=masking))
    store = f"chdb://{folder / 'store'}"
    command = [sys.executable, "-m", "tidemark.cli", "up", "--store", store, "--config", str(path), "--port", str(port)]
    with (folder / "up.log").open("ab") as output:
        environment = {**os.environ, "TIDEMARK_MASKING_KEY": "0123456789abcdef"}
        command += ["--log-level", "debug"]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        eventually(lambda: ready(process, port, folder))
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(20)


def ready(process: "subprocess.Popen[bytes]", port: int, folder: Path) -> bool:
    assert process.poll() is None, (folder / "up.log").read_text()
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
    except requests.ConnectionError:
        return False


def eventually(look: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
