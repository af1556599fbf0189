"""A process is killed while its threads append: what it was told is on disk is there, once, in order, whole."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from storage.wal import Log, Position, Settings

SECONDS = float(os.environ.get("TORTURE_SECONDS", "4"))

THREADS = 6

# Each thread says `thread number segment offset` after each append, in one write, which a kill does not tear.
APPENDS = """
import os, random, sys, threading
from pathlib import Path
from storage.wal import Log, Settings
log = Log(Path(sys.argv[1]), Settings(segment_bytes=4 << 20, most_bytes=1 << 30))
def append(thread):
    for number in range(1 << 30):
        filler = os.urandom(random.choice((10, 500, 40_000, 400_000)))
        at = log.append(f"{thread} {number}".encode().ljust(20) + filler + filler[:8])
        os.write(1, f"{thread} {number} {at.segment} {at.offset}\\n".encode())
for thread in range(int(sys.argv[2])):
    threading.Thread(target=append, args=(thread,)).start()
"""


def test_every_acknowledged_frame_survives_a_kill_at_any_instant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kills = acknowledged = torn = 0
    kept: list[tuple[Position, tuple[int, int]]] = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        told = killed_while_appending(tmp_path)
        log = Log(tmp_path, Settings())
        frames = [(frame.position, whole(frame.payload)) for frame in log.read()]
        assert frames[: len(kept)] == kept
        assert set(told) <= set(frames[len(kept) :])
        for thread in range(THREADS):
            numbers = [number for _, (of, number) in frames[len(kept) :] if of == thread]
            assert numbers == list(range(len(numbers)))
        assert log.counters().damaged == (0, 0)
        torn = log.counters().torn.stretches
        kept = random_rest(log, frames)
        log.close()
        kills, acknowledged = kills + 1, acknowledged + len(told)
    with capsys.disabled():
        print(f" {kills} kills, {acknowledged} acknowledged frames, {torn} torn ends ", end="")
    assert acknowledged > 10 * kills > 0


def killed_while_appending(folder: Path) -> list[tuple[Position, tuple[int, int]]]:
    """What the process was told is on disk."""
    arguments = [sys.executable, "-c", APPENDS, str(folder), str(THREADS)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    first = process.stdout.readline()
    killer = threading.Timer(random.uniform(0, 0.1), process.kill)
    killer.start()
    lines = [first, *process.stdout]
    killer.join()
    process.communicate()
    told = (tuple(map(int, line.split())) for line in lines)
    return [(Position(segment, offset), (thread, number)) for thread, number, segment, offset in told]


def whole(payload: bytes) -> tuple[int, int]:
    """Thread and number, of a payload that ends as its filler began."""
    filler = payload[20:-8]
    assert len(filler) in (10, 500, 40_000, 400_000) and payload[-8:] == filler[:8]
    thread, number = payload[:20].split()
    return int(thread), int(number)


def random_rest(log: Log, frames: list[tuple[Position, tuple[int, int]]]) -> list[tuple[Position, tuple[int, int]]]:
    """What is left after trimming somewhere."""
    trimmed = random.randrange(len(frames))
    log.trim(frames[trimmed][0])
    return frames[trimmed + 1 :]
