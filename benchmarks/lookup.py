"""One prediction by its id among 10 M, over 30 days."""

import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.service import Service, up
from benchmarks.table import Row

ROWS, DAYS, LOOKUPS = 10_000_000, 30, 50
TARGET_MS = 50


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        store = Path(folder) / "store"
        subprocess.run([sys.executable, "-m", "benchmarks.fill", str(store), str(ROWS), str(DAYS)], check=True)
        with up("auto: false", store) as service:
            service.wait_for("SELECT count() = 0 FROM system.merges", 120)  # of the filling, not of the lookups
            milliseconds = [_milliseconds(service, k * (ROWS // LOOKUPS)) for k in range(LOOKUPS)]
            (scanned,) = service.query(f"SELECT count() AS rows FROM predictions WHERE id = '{_id(1)}'")
    median, worst = statistics.median(milliseconds), max(milliseconds)
    assert int(str(scanned["rows"])) == 1
    return [
        Row(
            f"one prediction by id among {ROWS // 10**6} M, median of {LOOKUPS}",
            f"{median:.0f} ms (slowest {worst:.0f})",
            "-",
            "-",
            f"< {TARGET_MS} ms",
            median < TARGET_MS,
        )
    ]


def _milliseconds(service: Service, row: int) -> float:
    start = time.perf_counter()
    found = service.get(f"/api/predictions/{_id(row)}")
    milliseconds = (time.perf_counter() - start) * 1e3
    if _id(row).encode() not in found:
        raise RuntimeError(f"not found: {_id(row)}")
    return milliseconds


def _id(row: int) -> str:
    """As benchmarks.fill names it."""
    return hashlib.md5(str(row).encode(), usedforsecurity=False).hexdigest()
