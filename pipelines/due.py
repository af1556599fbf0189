"""Which windows of a monitor are due, given what is stored."""

from collections.abc import Iterator
from datetime import datetime

from core.config import MonitorConfig, RowsReference, RowWindows, TimeWindows, model_key
from core.findings import Run, Window
from core.times import EPOCH
from pipelines.reference import first_rows
from pipelines.schedule import ROW_SETTLE, due_rows, due_times
from storage.engine import Engine
from storage.rows import Tumbling, row_spans
from storage.runs import first_seen


def due(engine: Engine, monitor: MonitorConfig, last: Run | None, now: datetime) -> Iterator[Window]:
    """Oldest first, from the end of the monitor's last run or from when it was first seen."""
    if isinstance(monitor.window, TimeWindows):
        after = last.window.end if last else first_seen(engine, monitor.name, now)
        yield from due_times(monitor.window, after, now)
    else:
        yield from _due_rows(engine, monitor, monitor.window, (last, now))


def _due_rows(
    engine: Engine, monitor: MonitorConfig, plan: RowWindows, where: tuple[Run | None, datetime]
) -> Iterator[Window]:
    last, now = where
    model, after = model_key(monitor.model), _position(engine, monitor, last, now)
    end = last.window.end if last else EPOCH
    while after:
        windows = due_rows(row_spans(engine, model, Tumbling(plan.rows, after, now - ROW_SETTLE)), end)
        yield from windows
        after, end = (windows[-1].rows.last, windows[-1].end) if windows and windows[-1].rows else (None, end)


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
