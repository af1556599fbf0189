"""The demo shows what it promises, as `make demo` runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidemark.demo.processes import free_port

pytestmark = pytest.mark.alone


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidemark.cli", "demo", "--port", str(free_port()), *options]
    return subprocess.run(command, cwd=folder, env={**os.environ, "COLUMNS": "100"}, capture_output=True, text=True)


def test_the_shift_is_found_in_time_and_nothing_is_lost(tmp_path: Path) -> None:
    done = demo(tmp_path, "--seconds", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "showed it: drift in" in " ".join(done.stdout.split())
    assert "are stored, 0 lost" in " ".join(done.stdout.split())
    assert "why the outlier" in done.stdout


def test_without_a_shift_nothing_fires(tmp_path: Path) -> None:
    done = demo(tmp_path, "--seconds", "20", "--seed", "8", "--no-shift")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing fired" in done.stdout


def test_a_demo_that_finds_nothing_says_so_and_fails(tmp_path: Path) -> None:
    """Four seconds are too few for a window before and one after the shift."""
    done = demo(tmp_path, "--seconds", "1")
    assert done.returncode == 1
    assert "FAILED the shift was not found" in done.stdout
