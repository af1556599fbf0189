"""Two-sample KS of 12 fields over 1 M + 1 M stored rows: a monitor's step against plain SQL, Evidently and SciPy.

The step runs in this process, in turns with the plain statement, so that both see the same machine and the same parts.
A reference is read once and kept; the first reading has a row of its own.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from benchmarks.rows import MODEL, START, sent, stored
from benchmarks.table import Row
from core.config import MonitorConfig, parse
from core.findings import Window
from core.protocols import Predict
from core.records import ModelKey
from core.times import from_micros
from pipelines.monitor import Tools, run_monitor
from pipelines.windows.look import Side
from pipelines.windows.reference import Reference
from pipelines.worker import Worker
from storage import open_engine
from storage.engine import Engine
from storage.migrate import migrate
from storage.windows.cache import CachedReader, DirectReader
from storage.windows.relations import as_reference, of_window

ROWS, SHIFT, STEP_MICROS = 1_000_000, 0.02, 1000
ROUNDS = 5
SPLIT = START + ROWS * STEP_MICROS
BATCH_ROWS = 100_000

# What someone who knows ClickHouse would write for the same answer.
PLAIN = f"""
SELECT name, kolmogorovSmirnovTest('two-sided', 'asymptotic')(value, time >= fromUnixTimestamp64Micro({SPLIT})) AS ks
FROM predictions FINAL ARRAY JOIN mapKeys(inputs_num) AS name, mapValues(inputs_num) AS value
WHERE model = '{MODEL}' GROUP BY name
"""


def run() -> list[Row]:
    with _filled() as engine:
        step = _step(engine)
        first = _seconds(step)
        rounds = [(_seconds(lambda: engine.rows(PLAIN)), _seconds(step)) for _ in range(ROUNDS)]
    plain, ours = (min(seconds) for seconds in zip(*rounds, strict=True))
    evidently, scipy = _peer("evidently"), _peer("scipy")
    return [
        _beside("plain SQL", ours, plain, most=1.25),
        _beside("plain SQL, the reference read too", first, plain),
        _beside("Evidently", ours, evidently, most=1 / 40),
        _beside("SciPy", ours, scipy, most=1 / 6),
    ]


def _beside(peer: str, ours: float, theirs: float, most: float | None = None) -> Row:
    """`most` is the largest ratio that meets the target."""
    target = "-" if most is None else f"≤ {_ratio(most)}"
    met = most is None or ours <= most * theirs
    name = f"KS, 12 fields, 1 M + 1 M rows, against {peer}"
    return Row(name, f"{ours:.2f} s", f"{theirs:.2f} s", _ratio(ours / theirs), target, met)


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio > 0.2 else f"1/{1 / ratio:.0f}"


@contextmanager
def _filled() -> Iterator[Engine]:
    """A store with the reference's million and the window's."""
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        engine = open_engine(f"chdb://{Path(folder) / 'store'}", own=True)
        migrate(engine)
        for number, shift in enumerate((0.0, SHIFT)):
            batches = sent(ROWS, shift, seed=number, start=START + number * ROWS * STEP_MICROS)
            rows = pa.Table.from_batches([stored(batch) for batch in batches])
            for first in range(0, ROWS, BATCH_ROWS):
                engine.insert("predictions", rows.slice(first, BATCH_ROWS))
        yield engine
        engine.close()


def _step(engine: Engine) -> Callable[[], None]:
    """The monitor over the window, as the pipeline runs it: from its start to its findings."""
    before, window = (Window(from_micros(at), from_micros(at + ROWS * STEP_MICROS)) for at in (START, SPLIT))
    rows = as_reference(of_window(ModelKey("default", MODEL), before))
    reference = Reference("first million", Side(rows, CachedReader(DirectReader(engine))))
    tools, monitor = Tools(engine, Worker(), _no_model, lambda: datetime.now(UTC)), _monitor()

    def step() -> None:
        findings = run_monitor(tools, monitor, window, reference).findings
        if sum(finding.score.fired for finding in findings) < 12:
            raise RuntimeError(f"a shift of {SHIFT} was not found: {findings}")

    return step


def _monitor() -> MonitorConfig:
    text = f"""
monitors:
  - name: bench
    model: {MODEL}
    reference: {{first_rows: {ROWS}}}
    window: {{rows: {ROWS}}}
    steps: [{{name: drift, use: ks}}]
"""
    (monitor,) = parse(text).monitors
    return monitor


def _no_model(model: ModelKey, version: str) -> Predict:
    raise RuntimeError(f"KS asks no model, {model.model} {version} least of all")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peer(name: str) -> float:
    command = [sys.executable, "-m", "benchmarks.peers", name, str(ROWS)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(json.loads(printed.splitlines()[-1])["seconds"])
