"""Which windows a monitor would have gone through in a stretch of the past: those it did, where it ran."""

from collections.abc import Iterator
from datetime import datetime

from core.config import MonitorConfig, RowsReference, RowWindows, TimeWindows, model_key
from core.findings import Window
from core.times import EPOCH
from pipelines.windows.due import row_windows
from pipelines.windows.reference import first_rows
from pipelines.windows.schedule import MICROSECOND, ROW_SETTLE, due_times
from storage.engine import Engine
from storage.findings.past import Extent, row_window_before, seen_since
from storage.windows.rows import Tumbling


def past_windows(engine: Engine, monitor: MonitorConfig, stretch: Window, held: Extent) -> Iterator[Window]:
    """Those that ended in (start, end] of `stretch`, in order, and the one before the first of them.

    `held` is what is stored of the model; windows before its first row or after its last are left out.
    """
    before: Window | None = None
    for window in _windows(engine, monitor, stretch, held):
        if window.end <= stretch.start:
            before = window
            continue
        if before:
            yield before
            before = None
        yield window


def run_at(monitor: MonitorConfig, window: Window) -> datetime:
    """The first moment at which a live monitor runs over `window`."""
    return window.end + (monitor.window.settle if isinstance(monitor.window, TimeWindows) else ROW_SETTLE)


def _windows(engine: Engine, monitor: MonitorConfig, stretch: Window, held: Extent) -> Iterator[Window]:
    match monitor.window:
        case TimeWindows() as windows:
            after = max(stretch.start - windows.every, held.first)
            return due_times(windows, after, min(stretch.end, held.last + windows.length) + windows.settle)
        case RowWindows() as windows:
            return _of_rows(engine, monitor, windows, stretch)


def _of_rows(engine: Engine, monitor: MonitorConfig, windows: RowWindows, stretch: Window) -> Iterator[Window]:
    """Where they begin says a live run; else the reference's end; else when the monitor was first seen."""
    model, rows = model_key(monitor.model), windows.rows
    if ran := row_window_before(engine, monitor.name, rows, stretch.start):
        assert ran.rows
        return row_windows(engine, model, Tumbling(rows, ran.rows.last, stretch.end), ran.end - MICROSECOND)
    if isinstance(monitor.reference, RowsReference):
        span = first_rows(engine, model, monitor.reference.first_rows, stretch.end + ROW_SETTLE)
        return row_windows(engine, model, Tumbling(rows, span.last, stretch.end), EPOCH) if span else iter(())
    return _from(engine, monitor, stretch, rows)


def _from(engine: Engine, monitor: MonitorConfig, stretch: Window, rows: int) -> Iterator[Window]:
    model, seen = model_key(monitor.model), seen_since(engine, monitor.name)
    start, end = stretch.start, EPOCH
    if seen and seen < stretch.end:
        for window in row_windows(engine, model, Tumbling(rows, (start, ""), seen - MICROSECOND), EPOCH):
            end = window.end
            yield window
        start = seen
    yield from row_windows(engine, model, Tumbling(rows, (start, ""), stretch.end), end)
