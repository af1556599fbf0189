"""Two-sample KS of 12 fields over 1 M + 1 M stored rows: a monitor's step against plain SQL, Evidently and SciPy."""

import json
import subprocess
import sys
import time

from benchmarks.bulk import send
from benchmarks.rows import MODEL, START, sent, stream
from benchmarks.service import Service, up
from benchmarks.table import Row

ROWS, SHIFT = 1_000_000, 0.02
ROUNDS = 3
CONFIG = f"""
auto: false
monitors:
  - name: bench
    model: {MODEL}
    reference: {{first_rows: {ROWS}}}
    window: {{rows: {ROWS}}}
    steps: [{{name: drift, use: ks}}]
"""

# What someone who knows ClickHouse would write for the same answer.
PLAIN = f"""
SELECT name, kolmogorovSmirnovTest('two-sided', 'asymptotic')(value, time >= fromUnixTimestamp64Micro({{start}})) AS ks
FROM predictions FINAL ARRAY JOIN mapKeys(inputs_num) AS name, mapValues(inputs_num) AS value
WHERE model = '{MODEL}' GROUP BY name
"""


def run() -> list[Row]:
    with up(CONFIG) as service:
        for half, shift in enumerate((0.0, SHIFT)):
            send(service, [stream(b) for b in sent(ROWS, shift, seed=half, start=START + half * ROWS * 1000)])
            service.wait_for(f"SELECT count() >= {(half + 1) * ROWS} FROM predictions")
        ours = _step_seconds(service)
        plain = min(_plain_seconds(service) for _ in range(ROUNDS))
    evidently, scipy = _peer("evidently"), _peer("scipy")
    name = "KS, 12 fields, 1 M + 1 M rows, "
    return [
        _row(name + "plain SQL", ours, plain, f"{ours / plain:.2f}", "≤ 1.25", ours <= 1.25 * plain),
        _row(name + "Evidently", ours, evidently, f"1/{evidently / ours:.0f}", "≤ 1/40", evidently >= 40 * ours),
        _row(name + "SciPy", ours, scipy, f"1/{scipy / ours:.1f}", "-", scipy > ours),
    ]


def _row(name: str, ours: float, peer: float, ratio: str, target: str, met: bool) -> Row:
    return Row(name, f"{ours:.2f} s", f"{peer:.2f} s", ratio, target, met)


def _step_seconds(service: Service) -> float:
    """From the run's start to its results, of the window that fired: the second million against the first."""
    service.wait_for("SELECT count() > 0 FROM results WHERE monitor = 'bench' AND fired", 300)
    (run,) = service.query(
        "SELECT toUnixTimestamp64Micro(finished) - toUnixTimestamp64Micro(started) AS micros FROM runs FINAL"
        " WHERE id IN (SELECT run FROM results WHERE monitor = 'bench' AND fired)"
    )
    return int(str(run["micros"])) / 1e6


def _plain_seconds(service: Service) -> float:
    start = time.perf_counter()
    found = service.query(PLAIN.format(start=START + ROWS * 1000))
    seconds = time.perf_counter() - start
    if len(found) != 12:
        raise RuntimeError(f"plain SQL found {len(found)} fields")
    return seconds


def _peer(name: str) -> float:
    command = [sys.executable, "-m", "benchmarks.peers", name, str(ROWS)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(json.loads(printed.splitlines()[-1])["seconds"])
