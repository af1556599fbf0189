"""`tidemark up` as a process of its own with the calls its tests make, and what a command gave."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import requests

from tidemark.demo.processes import free_port

START_SECONDS = 60
STORED_SECONDS = 15


class Up(NamedTuple):
    """`store` is the URL of its folder; `log` is what it prints."""

    url: str
    store: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def get(self, path: str, **query: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", params=query, timeout=20)

    def send(self, model: str, *predictions: dict[str, Any], **headers: str) -> dict[str, Any]:
        """The answer to `predictions` sent as JSON."""
        body = {"model": model, "predictions": predictions}
        answer = requests.post(f"{self.url}/api/predictions", json=body, headers=headers, timeout=20)
        assert answer.status_code == 202, answer.text
        taken: dict[str, Any] = answer.json()
        return taken

    def event(self, kind: str, model: str, id: str, body: dict[str, Any], **headers: str) -> None:
        """One half of an inference as KServe's logger sends it; `kind` is request or response."""
        said = {
            "ce-id": id,
            "ce-type": f"org.kubeflow.serving.inference.{kind}",
            "ce-source": "http://localhost:9081/",
            "ce-specversion": "1.0",
            "ce-inferenceservicename": model,
            "ce-namespace": "default",
            "content-type": "application/json",
        }
        answer = requests.post(self.url, json=body, headers={**said, **headers}, timeout=20)
        assert (answer.status_code, answer.content) == (200, b"")

    def stored(self, id: str, **query: Any) -> dict[str, Any]:
        """The prediction or request `id`, once it is stored."""
        found = eventually(lambda: answer if (answer := self.get(f"/api/predictions/{id}", **query)).ok else None)
        said: dict[str, Any] = found.json()
        return said


class Done(NamedTuple):
    """A command's exit code, and what it said on stdout and on stderr."""

    code: int
    out: str
    err: str


Tidemark = Callable[..., Done]


@contextmanager
def up(folder: Path, config: str = "", environment: Mapping[str, str] | None = None) -> Iterator[Up]:
    """Started on `folder`/store, ready when this is entered, and stopped with SIGTERM unless it ended before."""
    path = folder / "tidemark.yaml"
    path.write_text(config)
    port, store, log = free_port(), f"chdb://{folder / 'store'}", folder / "up.log"
    command = [sys.executable, "-m", "tidemark.cli", "up", "--store", store, "--config", str(path), "--port", str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stderr=output, env={**os.environ, **(environment or {})})
    started = Up(f"http://127.0.0.1:{port}", store, log, process)
    try:
        eventually(lambda: _ready(started), START_SECONDS)
        yield started
    finally:
        process.terminate()
        process.wait(20)


def _ready(started: Up) -> bool:
    assert started.process.poll() is None, started.log.read_text()
    try:
        return started.get("/readyz").ok
    except requests.ConnectionError:
        return False


def eventually(look: Callable[[], Any], seconds: float = STORED_SECONDS) -> Any:
    """What `look` gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found
