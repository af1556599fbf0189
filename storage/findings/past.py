"""What is stored of a model and of a monitor, for those who look back: nothing here writes."""

from datetime import datetime
from typing import NamedTuple

from core.findings import RowSpan, Window
from core.records import ModelKey
from storage.engine import Engine
from storage.windows.relations import of_window


class Extent(NamedTuple):
    """How many predictions there are, and the event times of the first and the last of them."""

    rows: int
    first: datetime
    last: datetime


def extent(engine: Engine, model: ModelKey) -> Extent | None:
    """None for a model without predictions."""
    (found,) = engine.rows(
        "SELECT count() AS rows, min(time) AS first, max(time) AS last FROM predictions"
        " WHERE namespace = {namespace:String} AND model = {model:String}",
        {"namespace": model.namespace, "model": model.model},
    )
    return Extent(**found) if found["rows"] else None


def seen_since(engine: Engine, monitor: str) -> datetime | None:
    """When a live monitor of that name was first asked about; None when it never was."""
    sql = "SELECT min(first_seen) AS at FROM monitors WHERE name = {name:String} HAVING count() > 0"
    return next((row["at"] for row in engine.rows(sql, {"name": monitor})), None)


def row_window_before(engine: Engine, monitor: str, rows: int, until: datetime) -> Window | None:
    """The last row-count window of `rows` rows that a live monitor ran over and that ended by `until`."""
    found = engine.rows(
        "SELECT window_start, window_end, first_received, first_id, last_received, last_id FROM runs FINAL"
        " WHERE monitor = {monitor:String} AND rows = {rows:UInt64} AND last_id != ''"
        " AND window_end <= {until:DateTime64(6, 'UTC')} ORDER BY window_end DESC LIMIT 1",
        {"monitor": monitor, "rows": rows, "until": until},
    )
    for row in found:
        span = RowSpan((row["first_received"], row["first_id"]), (row["last_received"], row["last_id"]))
        return Window(row["window_start"], row["window_end"], span)
    return None


def came(engine: Engine, model: ModelKey, span: RowSpan) -> datetime | None:
    """When the last row of `span` had come: a row that was filled in over an hour late counts as of its event time.

    None when none of them is stored any more.
    """
    rows = of_window(model, Window(span.first[0], span.last[0], span))
    ids = f"(SELECT received, id FROM {rows.sql} WHERE ok)"
    (found,) = engine.rows(
        "SELECT count() AS rows, max(if(received > time + INTERVAL 1 HOUR, time, received)) AS at FROM predictions"
        " WHERE namespace = {namespace:String} AND model = {model:String}"
        " AND received BETWEEN {first:DateTime64(6, 'UTC')} AND {last:DateTime64(6, 'UTC')}"
        f" AND (received, id) IN {ids}",
        rows.params,
    )
    return found["at"] if found["rows"] else None
