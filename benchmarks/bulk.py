"""Bulk rows over HTTP until they can be queried, against a bare chDB insert of the same rows into the same table."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.rows import MODEL, sent, stream
from benchmarks.service import Service, up
from benchmarks.table import Row

ROWS = 2_000_000
ROUNDS = 3
CONNECTIONS = 2
ARROW = "application/vnd.apache.arrow.stream"
TARGET_ROWS_PER_SECOND = 200_000


def run() -> list[Row]:
    """The best of several rounds of each, as both share the machine with whatever else it does."""
    with up("auto: false") as service:
        ours = max(rows_per_second(service, seed) for seed in range(ROUNDS))
    raw = max(_raw() for _ in range(ROUNDS))
    return [
        Row(
            "bulk rows, Arrow over HTTP, 12 features, until queryable",
            f"{ours / 1e3:.0f} k rows/s",
            f"{raw / 1e3:.0f} k rows/s: chDB alone, same table and rows",
            f"{ours / raw:.2f}",
            "≥ 200 k rows/s and ≥ 0.5",
            ours >= TARGET_ROWS_PER_SECOND and ours >= 0.5 * raw,
        )
    ]


def send(service: Service, bodies: list[bytes]) -> None:
    """Post Arrow streams over a few connections at once."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda body: service.post("/api/predictions", body, ARROW), bodies))


def rows_per_second(service: Service, seed: int) -> float:
    bodies = [stream(batch) for batch in sent(ROWS, seed=seed)]
    wanted = (seed + 1) * ROWS
    start = time.perf_counter()
    send(service, bodies)
    service.wait_for(f"SELECT count() >= {wanted} FROM predictions WHERE model = '{MODEL}'")
    return ROWS / (time.perf_counter() - start)


def _raw() -> float:
    """In a process of its own: chDB's memory and threads are to be no part of this one."""
    command = [sys.executable, "-m", "benchmarks.raw_insert", str(ROWS)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return float(json.loads(printed)["rows_per_second"])
