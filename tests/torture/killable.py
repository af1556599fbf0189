"""`tidemark up` as a process that is killed and started again on the same folders."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Lock
from typing import Any

from core.config import Config
from storage.delivery.journal import open_log
from tidemark.demo.processes import free_port

START_SECONDS = 60


class Killable:
    """Keeps its store and its log under `folder`, unless `config` names another place for the log."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self.store, self.said = folder / "store", folder / "up.log"
        self._config = folder / "tidemark.yaml"
        self._config.write_text(config)
        self.port = 0
        self.killed_at = 0.0  # by the monotonic clock
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def spawn(self) -> None:
        self.port = free_port()
        where = ["--store", f"chdb://{self.store}", "--config", str(self._config), "--port", str(self.port)]
        with self.said.open("ab") as output:
            self._process = subprocess.Popen([sys.executable, "-m", "tidemark.cli", "up", *where], stderr=output)

    def start(self) -> None:
        """Returns when it is ready."""
        self.spawn()
        eventually(self._ready, START_SECONDS)

    def kill(self) -> None:
        with self._lock:
            if self._process:
                self.killed_at = time.monotonic()
                self._process.kill()
                self._process.wait(20)
                self._process = None

    @property
    def ended(self) -> bool:
        return self._process is None

    def finish(self, seconds: float = 600) -> None:
        """Start and stop it until everything is stored: a stop leaves a long backlog in the log, where it is safe."""
        deadline = time.monotonic() + seconds
        while self._logged_bytes():
            assert time.monotonic() < deadline, "the backlog is not stored in time"
            self.start()
            time.sleep(5)
            self.stop()

    def _logged_bytes(self) -> int:
        """What lies in the log and is not stored."""
        with closing(open_log(f"chdb://{self.store}", Config())) as log:
            return log.waiting_bytes

    def stop(self) -> None:
        """In order; what was accepted is stored, or in the log when there is much of it."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        code, self._process = self._process.wait(60), None
        assert code == 0, self.said.read_text()[-4000:]

    def get(self, path: str) -> tuple[int, bytes]:
        """The status of the answer and its body; (0, b'') when nobody answers."""
        with (
            suppress(OSError, HTTPException),
            closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection,
        ):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        return 0, b""

    def ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/api/ledger")[1] or "{}")
        return found

    def metric(self, name: str) -> float:
        """The sum of all series of a metric."""
        lines = self.get("/metrics")[1].decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def _ready(self) -> bool:
        assert self._process and self._process.poll() is None, self.said.read_text()[-4000:]
        return self.get("/readyz")[0] == 200


class Trigger:
    """Kills after so many answers, in the very moment; never when `answers` is 0."""

    def __init__(self, up: Killable, answers: int) -> None:
        self._up, self._left, self._lock = up, answers, Lock()

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            now = self._left == 0
        if now:
            self._up.kill()


def eventually(look: Callable[[], Any], seconds: float = 30) -> Any:
    """What `look` gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def from_environment(name: str, default: float) -> float:
    return float(os.environ.get(name, default))


def chance(share: float) -> bool:
    return random.random() < share
