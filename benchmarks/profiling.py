"""Profiles of 1 M rows of 12 features, from the stored predictions to stored states, beside whylogs on the same values.

Everything is in the time: finding what is new, telling which minutes changed, making their states, and those of hours.
whylogs wants an environment of its own; without it the figure stands that it reached on a machine like this one.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from benchmarks.rows import FEATURES, MODEL, START, sent, stored
from benchmarks.table import Row
from core.findings import Window
from core.records import ModelKey
from core.times import from_micros
from storage import open_engine
from storage.engine import Engine
from storage.migrate import migrate
from storage.profiles.profiler import Profiler

ROWS, ROUNDS = 1_000_000, 3
CELLS = ROWS * (len(FEATURES) + 1)  # and the output
KEY = ModelKey("default", MODEL)
WHYLOGS_CELLS_PER_SECOND = 0.94e6
TABLES = ("profiles_minute", "profiles_hour", "profiles_day", "profile_progress")


def run() -> list[Row]:
    with store() as engine:
        for batch in sent(ROWS):
            engine.insert("predictions", pa.Table.from_batches([stored(batch)]))
        ours = CELLS / min(_seconds(engine) for _ in range(ROUNDS))
        compressed, plain = _bytes(engine)
    measured = _whylogs()
    theirs = measured or WHYLOGS_CELLS_PER_SECOND
    return [
        Row(
            "profiling into the store, 1 M rows of 12 features and an output",
            f"{ours / 1e6:.1f} M values/s",
            f"{theirs / 1e6:.2f} M values/s: whylogs{'' if measured else ', measured on such a machine'}",
            f"{ours / theirs:.0f}",
            "≥ 10 M values/s",
            ours >= 10e6,
        ),
        Row(
            "a field's profile of a minute of 60 k rows",
            f"{plain:,.0f} bytes, {compressed:,.0f} compressed",
            "480,000 bytes: its values",
            f"1/{480_000 / plain:.0f}",
            "≤ 3,072 bytes",
            plain <= 3072,
        ),
    ]


@contextmanager
def store() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        engine = open_engine(f"chdb://{Path(folder) / 'store'}", own=True)
        migrate(engine)
        yield engine
        engine.close()


def _seconds(engine: Engine) -> float:
    """Until all that is stored is profiled, from nothing."""
    for table in TABLES:
        engine.command(f"TRUNCATE TABLE {table}")
    profiler, first = Profiler(engine, {}), from_micros(START)
    start = time.perf_counter()
    if not profiler.ready(KEY, Window(first, first + timedelta(hours=1)), first + timedelta(hours=2)):
        raise RuntimeError("a million rows are more than one call profiles")
    return time.perf_counter() - start


def _bytes(engine: Engine) -> tuple[float, float]:
    """Compressed and not, by field and minute; the states of whole rows are shared out over the fields."""
    (size,) = engine.rows(
        "SELECT sum(data_compressed_bytes) AS compressed, sum(data_uncompressed_bytes) AS plain FROM system.parts"
        " WHERE database = currentDatabase() AND table = 'profiles_minute' AND active"
    )
    (states,) = engine.rows("SELECT count() AS n FROM profiles_minute WHERE role != ''")
    return size["compressed"] / states["n"], size["plain"] / states["n"]


def _whylogs() -> float | None:
    if importlib.util.find_spec("whylogs") is None:
        return None
    command = [sys.executable, "-m", "benchmarks.peers", "whylogs", str(ROWS)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return ROWS * len(FEATURES) / float(json.loads(printed.splitlines()[-1])["seconds"])
