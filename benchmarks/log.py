"""The write-ahead log alone: appends with fsync from many senders, and the scan of a restart."""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row
from storage.wal import AsyncLog, Log, Settings

FRAME_BYTES, IN_FLIGHT, TOTAL_BYTES = 32 * 1024, 32, 1 << 30
SETTINGS = Settings(segment_bytes=256 << 20, most_bytes=4 << 30)


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-", dir=Path.cwd()) as folder:
        append = _append(Path(folder))
        scan = _scan(Path(folder))
        raw = _raw(Path(folder) / "raw")
    return [
        Row(
            "log append, 32 KB frames, fsync, 32 in flight",
            f"{append:.0f} MB/s",
            f"{raw:.0f} MB/s: write and fdatasync of 1 MB",
            f"{append / raw:.2f}",
            "≥ 150 MB/s",
            append >= 150,
        ),
        Row("log recovery scan, 32 KB frames", f"{scan:.0f} MB/s", "-", "-", "≥ 500 MB/s", scan >= 500),
    ]


def _append(folder: Path) -> float:
    log, frame = Log(folder / "log", SETTINGS), os.urandom(FRAME_BYTES)

    async def sender(appending: AsyncLog, frames: int) -> None:
        for _ in range(frames):
            await appending.append(frame)

    async def all_senders() -> None:
        appending = AsyncLog(log)
        await asyncio.gather(*(sender(appending, TOTAL_BYTES // FRAME_BYTES // IN_FLIGHT) for _ in range(IN_FLIGHT)))

    start = time.perf_counter()
    asyncio.run(all_senders())
    seconds = time.perf_counter() - start
    log.close()
    return TOTAL_BYTES / seconds / 1e6


def _scan(folder: Path) -> float:
    """Opening finds the last whole frame, reading gives every frame: a restart does both."""
    start = time.perf_counter()
    log = Log(folder / "log", SETTINGS)
    size = sum(len(frame.payload) for frame in log.read())
    seconds = time.perf_counter() - start
    log.close()
    return size / seconds / 1e6


def _raw(path: Path) -> float:
    block, blocks = os.urandom(1 << 20), 512
    with path.open("wb", buffering=0) as file:
        start = time.perf_counter()
        for _ in range(blocks):
            file.write(block)
            os.fdatasync(file.fileno())
        seconds = time.perf_counter() - start
    return blocks * len(block) / seconds / 1e6
