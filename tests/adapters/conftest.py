"""The libraries in their own environment: `worker` runs adapters there, `directly` is what they say to others."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cases import REFERENCE, WINDOW, Case

from detectors import adapters
from detectors.adapters import Table
from pipelines.worker import Worker

ROOT = Path(__file__).parents[2]
# Another environment with the libraries and, perhaps, TensorFlow: its interpreter.
PYTHON = Path(os.environ.get("ADAPTERS_PYTHON", ROOT / ".venv-adapters/bin/python"))


@pytest.fixture(scope="session")
def python() -> str:
    if not PYTHON.exists():
        pytest.skip("no environment with alibi-detect and Evidently; `make .venv-adapters` builds it")
    return str(PYTHON)


@pytest.fixture(scope="session")
def _calling(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Beside the worker, which imports the same meanwhile."""
    folder = tmp_path_factory.mktemp("directly")
    with (folder / "said.json").open("wb") as said, (folder / "errors.txt").open("wb") as errors:
        process = subprocess.Popen(
            [python, str(Path(__file__).with_name("directly.py")), str(folder)], stdout=said, stderr=errors
        )
        yield process, folder
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def directly(_calling: tuple[subprocess.Popen[bytes], Path], worker: Worker) -> dict[str, Any]:
    process, folder = _calling
    assert process.wait(300) == 0, (folder / "errors.txt").read_text()[-2000:]
    return json.loads((folder / "said.json").read_text())  # type: ignore[no-any-return]


@pytest.fixture
def has_needed(directly: dict[str, Any]) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        if case.needs and case.needs not in directly["has"]:
            pytest.skip(f"no {case.needs} beside {PYTHON}; docs/adapters.md says how to run with it")

    return check


@pytest.fixture(scope="session")
def worker(python: str, _calling: object) -> Iterator[Worker]:
    worker = Worker(python=python)
    worker.call(adapters.make("alibi_detect.KSDrift", {}).examine, Table(REFERENCE), Table(WINDOW), 0.05)
    yield worker
    worker.stop()
