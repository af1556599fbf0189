"""What profiling costs ingest: 50 k rows of 12 features a second into the store, without and with a profiler beside.

The profiler takes turns with its pauses as the pipeline's loop does. Time passes four times as fast for the rows and
for its clock, which is ahead by what it waits for late rows: most minutes are profiled while the next are inserted.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread

import numpy as np
import pyarrow as pa

from benchmarks.profiling import KEY, store
from benchmarks.rows import START, sent, stored
from benchmarks.table import Row
from core.findings import Window
from core.records import TIME
from core.times import from_micros
from pipelines.runner import PAUSE_PER_ROUND, PAUSE_SECONDS
from storage.delivery.sink import StoreSink
from storage.engine import Engine
from storage.profiles.profiler import Profiler
from storage.profiles.waiting import SETTLE

RATE, SECONDS, SPEED = 50_000, 34, 4
HOUR = timedelta(hours=1)


def run() -> list[Row]:
    with store() as engine:
        alone = _insert(engine, list(_batches(0)))
        batches, start = list(_batches(1)), from_micros(START) + HOUR
        with _profiling(engine, start) as profiler:
            beside = _insert(engine, batches)
        if not profiler.ready(KEY, Window(start, start + timedelta(minutes=2)), start + HOUR):
            raise RuntimeError("two minutes are not profiled")
    return [
        Row(
            "50 k rows/s of 12 features, inserts with a profiler beside them",
            f"{1e3 * beside / SECONDS:.0f} ms a second",
            f"{1e3 * alone / SECONDS:.0f} ms: without it",
            f"{beside / alone:.2f}",
            "≤ 1.10",
            beside <= 1.1 * alone,
        )
    ]


def _batches(hour: int) -> Iterator[pa.RecordBatch]:
    """A second's rows each."""
    rows = pa.Table.from_batches([stored(batch) for batch in sent(RATE * SECONDS, seed=hour)])
    times = START + hour * 3_600_000_000 + np.arange(len(rows)) * (SPEED * 1_000_000 // RATE)
    for name in ("time", "received"):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(times).cast(TIME))
    for second in range(SECONDS):
        yield rows.slice(second * RATE, RATE).combine_chunks().to_batches()[0]


def _insert(engine: Engine, batches: Sequence[pa.RecordBatch]) -> float:
    """Seconds that the inserts took, one each second."""
    sink, spent, began = StoreSink(engine), 0.0, time.perf_counter()
    for second, batch in enumerate(batches):
        time.sleep(max(0.0, began + second - time.perf_counter()))
        before = time.perf_counter()
        sink.store(batch)
        spent += time.perf_counter() - before
    return spent


@contextmanager
def _profiling(engine: Engine, start: datetime) -> Iterator[Profiler]:
    profiler, stop, began = Profiler(engine, {}), Event(), time.perf_counter()

    def loop() -> None:
        while not stop.is_set():
            before = time.perf_counter()
            profiler.keep_up(start + SETTLE + SPEED * timedelta(seconds=before - began))
            stop.wait(max(PAUSE_SECONDS / SPEED, PAUSE_PER_ROUND * (time.perf_counter() - before)))

    thread = Thread(target=loop)
    thread.start()
    yield profiler
    stop.set()
    thread.join()
