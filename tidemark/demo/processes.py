"""The processes of the demo: the model's server and `tidemark up`, as a user would start them."""

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.errors import TidemarkError

START_SECONDS = 60.0  # a cold first start compiles and loads everything
STOP_SECONDS = 10.0


@contextmanager
def running(module: str, arguments: Sequence[str], log: Path, ready: str) -> Iterator[None]:
    """`python -m module arguments` until the block ends; entered once `ready` answers 200. TidemarkError otherwise."""
    with log.open("wb") as output:
        # A session of its own: Ctrl-C is for the demo, which then stops its processes in order.
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdout=output, stderr=output, start_new_session=True
        )
        try:
            _wait(process, ready, log)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], ready: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = log.read_text("utf-8", "replace").strip().splitlines() or ["nothing"]
            raise TidemarkError(f"a process of the demo ended at its start; its last word, in {log}: {said[-1]}")
        try:
            with urllib.request.urlopen(ready, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise TidemarkError(f"{ready} did not answer within {START_SECONDS:.0f} s; see {log}")
