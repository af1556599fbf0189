"""What is stored of a model and of a monitor, for those who look back: nothing here writes."""

from datetime import datetime, timedelta
from typing import NamedTuple

from core.findings import RowSpan, Window
from core.records import ModelKey
from storage.engine import Engine
from storage.profiles.grains import DAY, HOUR, MINUTE
from storage.windows.relations import of_window


class Extent(NamedTuple):
    """How many predictions there are, and the event times of the first and the last of them.

    `since`: of the first that profiles or runs know of; before `first` where rows have been deleted.
    """

    rows: int
    first: datetime
    last: datetime
    since: datetime


def extent(engine: Engine, model: ModelKey) -> Extent | None:
    """None for a model without predictions."""
    (found,) = engine.rows(
        "SELECT count() AS rows, min(time) AS first, max(time) AS last FROM predictions"
        " WHERE namespace = {namespace:String} AND model = {model:String}",
        {"namespace": model.namespace, "model": model.model},
    )
    return Extent(**found, since=_since(engine, model, found["first"])) if found["rows"] else None


def _since(engine: Engine, model: ModelKey, first: datetime) -> datetime:
    grains = engine.rows(
        "SELECT grain, min(toDateTime64(start, 6, 'UTC')) AS start FROM profiles WHERE role = ''"
        " AND namespace = {namespace:String} AND model = {model:String} GROUP BY grain",
        model._asdict(),
    )
    floors = {grain.name: grain.floor(first) for grain in (MINUTE, HOUR, DAY)}
    profiled = [row["start"] for row in grains if row["start"] < floors[row["grain"]]]
    (run,) = engine.rows(
        "SELECT count() AS runs, min(window_end) AS end FROM runs WHERE rows > 0"
        " AND namespace = {namespace:String} AND model = {model:String}"
        " AND window_end <= {first:DateTime64(6, 'UTC')}",
        {**model._asdict(), "first": first},
    )
    ended = [run["end"] - timedelta(microseconds=1)] if run["runs"] else []
    known: list[datetime] = [first, *ended, *profiled]
    return min(known)


def seen_since(engine: Engine, monitor: str) -> datetime | None:
    """When a live monitor of that name was first asked about; None when it never was."""
    sql = "SELECT min(first_seen) AS at FROM monitors WHERE name = {name:String} HAVING count() > 0"
    return next((row["at"] for row in engine.rows(sql, {"name": monitor})), None)


def row_windows_run(engine: Engine, monitor: str, model: ModelKey, rows: int, within: Window) -> list[Window]:
    """The windows of `rows` rows that a live monitor ran over and that ended in (start, end], and the one before."""
    found = engine.rows(
        "SELECT window_start, window_end, first_received, first_id, last_received, last_id FROM runs FINAL"
        " WHERE monitor = {monitor:String} AND namespace = {namespace:String} AND model = {model:String}"
        " AND rows = {rows:UInt64} AND last_id != '' AND window_end <= {end:DateTime64(6, 'UTC')} ORDER BY window_end",
        {**model._asdict(), "monitor": monitor, "rows": rows, "end": within.end},
    )
    spans = [((r["first_received"], r["first_id"]), (r["last_received"], r["last_id"])) for r in found]
    ran = [Window(r["window_start"], r["window_end"], RowSpan(*span)) for r, span in zip(found, spans, strict=True)]
    before = [window for window in ran if window.end <= within.start]
    return [*before[-1:], *ran[len(before) :]]


def rows_of_runs(engine: Engine, monitor: str, model: ModelKey) -> dict[Window, int]:
    """How many rows each window had when a live monitor ran over it last; windows without their span of rows."""
    rows = engine.rows(
        "SELECT window_start, window_end, argMax(rows, revision) AS had FROM runs FINAL"
        " WHERE monitor = {monitor:String} AND namespace = {namespace:String} AND model = {model:String} GROUP BY 1, 2",
        {**model._asdict(), "monitor": monitor},
    )
    return {Window(row["window_start"], row["window_end"]): row["had"] for row in rows}


def came(engine: Engine, model: ModelKey, span: RowSpan) -> datetime:
    """When the last row of `span` had come: a row that was filled in over an hour late counts as of its event time."""
    rows = of_window(model, Window(span.first[0], span.last[0], span))
    ids = f"(SELECT received, id FROM {rows.sql} WHERE ok)"
    (found,) = engine.rows(
        "SELECT max(if(received > time + INTERVAL 1 HOUR, time, received)) AS at FROM predictions"
        " WHERE namespace = {namespace:String} AND model = {model:String}"
        " AND received BETWEEN {first:DateTime64(6, 'UTC')} AND {last:DateTime64(6, 'UTC')}"
        f" AND (received, id) IN {ids}",
        rows.params,
    )
    at: datetime = found["at"]
    return at
