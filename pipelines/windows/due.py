"""Which windows of a monitor are due, given what is stored."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from core.config import MonitorConfig, RowsReference, TimeWindows, model_key
from core.findings import Run, Window
from core.records import ModelKey
from core.times import EPOCH
from pipelines.windows.reference import first_rows
from pipelines.windows.schedule import ROW_SETTLE, due_rows, due_times
from storage.engine import Engine
from storage.findings.runs import first_seen
from storage.windows.rows import Tumbling, row_spans


def due(engine: Engine, monitor: MonitorConfig, last: Run | None, now: datetime) -> Iterator[Window]:
    """Oldest first, from the end of the monitor's last run or from when it was first seen."""
    if isinstance(monitor.window, TimeWindows):
        after = last.window.end if last else first_seen(engine, monitor.name, now)
        yield from due_times(monitor.window, after, now)
    elif position := _position(engine, monitor, last, now):
        ahead = Tumbling(monitor.window.rows, position, now - ROW_SETTLE)
        yield from row_windows(engine, model_key(monitor.model), ahead, last.window.end if last else EPOCH)


def row_windows(engine: Engine, model: ModelKey, ahead: Tumbling, end: datetime) -> Iterator[Window]:
    """All of them, a bounded number read at once; `end` is that of the window before."""
    while spans := row_spans(engine, model, ahead):
        windows = due_rows(spans, end)
        yield from windows
        ahead, end = replace(ahead, after=spans[-1].last), windows[-1].end


def _position(engine: Engine, monitor: MonitorConfig, last: Run | None, now: datetime) -> tuple[datetime, str] | None:
    """The row (received, id) after which the next window begins; None while the reference's rows are still coming."""
    model = model_key(monitor.model)
    if last:
        if last.window.rows and (last.namespace, last.model) == model:
            return last.window.rows.last
        return last.window.end, ""  # it had other windows, or another model, when it last ran
    if isinstance(monitor.reference, RowsReference):
        span = first_rows(engine, model, monitor.reference.first_rows, now)
        return span.last if span else None
    return first_seen(engine, monitor.name, now), ""
