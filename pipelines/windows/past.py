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
from storage.findings.past import Extent, row_windows_run, seen_since
from storage.windows.rows import Tumbling


def past_windows(engine: Engine, monitor: MonitorConfig, stretch: Window, held: Extent) -> Iterator[Window]:
    """Those that ended in (start, end] of `stretch`, in order, and the one before the first of them.

    `held` is what is stored of the model; windows before the first row that it knows of or after the last are left out.
    The one before is left out, too, where a live monitor was first seen after it: its streams did not begin there.
    """
    before: Window | None = None
    seen = seen_since(engine, monitor.name)
    for window in _windows(engine, monitor, stretch, held):
        if window.end <= stretch.start:
            before = window
            continue
        if before and not (seen and before.end <= seen <= stretch.start):
            yield before
        before = None
        yield window


def run_at(monitor: MonitorConfig, window: Window) -> datetime:
    """The first moment at which a live monitor runs over `window`."""
    return window.end + (monitor.window.settle if isinstance(monitor.window, TimeWindows) else ROW_SETTLE)


def _windows(engine: Engine, monitor: MonitorConfig, stretch: Window, held: Extent) -> Iterator[Window]:
    match monitor.window:
        case TimeWindows() as windows:
            after = max(stretch.start - windows.every, held.since)
            return due_times(windows, after, min(stretch.end, held.last + windows.length) + windows.settle)
        case RowWindows() as windows:
            return _of_rows(engine, monitor, windows, stretch)


def _of_rows(engine: Engine, monitor: MonitorConfig, windows: RowWindows, stretch: Window) -> Iterator[Window]:
    """Those of live runs, as they were though some of their rows may be gone; rows before, between and behind them."""
    model, rows = model_key(monitor.model), windows.rows
    ran = row_windows_run(engine, monitor.name, model, rows, stretch)
    ends = [*(window.start - MICROSECOND for window in ran), stretch.end]
    if not ran or ran[0].end > stretch.start:
        yield from _not_run(engine, monitor, rows, Window(stretch.start, ends[0]))
    for window, until in zip(ran, ends[1:], strict=True):
        assert window.rows
        yield window
        yield from row_windows(engine, model, Tumbling(rows, window.rows.last, until), window.end)


def _not_run(engine: Engine, monitor: MonitorConfig, rows: int, stretch: Window) -> Iterator[Window]:
    """From the end of the reference's first rows; else from when the monitor was first seen, and before it."""
    model = model_key(monitor.model)
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
