"""How far each monitor got, and which models there are to monitor."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import pyarrow as pa

from core.findings import RowSpan, Run, Window
from core.records import TIME, ModelKey
from storage.engine import Engine
from storage.profiles.grains import MINUTE


def last_runs(engine: Engine) -> dict[str, Run]:
    """The run over the newest window of each monitor, its newest revision."""
    rows = engine.rows("SELECT * FROM runs FINAL ORDER BY window_end DESC, revision DESC LIMIT 1 BY monitor")
    return {row["monitor"]: _run(row) for row in rows}


def outdated(engine: Engine, model: ModelKey, since: int) -> list[Run]:
    """The newest runs of time windows that have rows in a minute whose profile changed since, newest windows first.

    Only changes under a higher revision than `since` are looked for.
    """
    params = {**model._asdict(), "since": since}
    changed = (
        f"SELECT start, max(revision) AS newest FROM {MINUTE.table} WHERE namespace = {{namespace:String}}"
        " AND model = {model:String} AND role = '' AND revision > {since:UInt64} GROUP BY start"
    )
    newest_run = (
        "SELECT * FROM runs FINAL WHERE namespace = {namespace:String} AND model = {model:String} AND last_id = ''"
        f" AND window_end > (SELECT min(start) FROM ({changed}))"
        f" AND window_start <= (SELECT max(start) + INTERVAL {MINUTE.length.seconds} SECOND FROM ({changed}))"
        " ORDER BY revision DESC LIMIT 1 BY monitor, window_end, window_start"
    )
    rows = engine.rows(
        f"SELECT * EXCEPT (minutes) FROM ({newest_run}) AS run CROSS JOIN"
        f" (SELECT groupArray((start, newest)) AS minutes FROM ({changed})) AS changed"
        " WHERE arrayExists(m -> m.2 > states AND m.1 < window_end"
        f" AND m.1 + INTERVAL {MINUTE.length.seconds} SECOND > window_start, minutes)"
        " ORDER BY window_end DESC, monitor",
        params,
    )
    return [_run(row) for row in rows]


def newest_states(engine: Engine, model: ModelKey, window: Window) -> int:
    """The highest revision of the profiles of the minutes of a window, 0 when there are none."""
    start = MINUTE.floor(window.start)
    (row,) = engine.rows(
        f"SELECT max(revision) AS newest FROM {MINUTE.table} WHERE namespace = {{namespace:String}}"
        " AND model = {model:String} AND role = '' AND start >= {start:DateTime64(6, 'UTC')}"
        " AND start < {end:DateTime64(6, 'UTC')}",
        {**model._asdict(), "start": start, "end": window.end},
    )
    return int(row["newest"])


def first_seen(engine: Engine, monitor: str, now: datetime) -> datetime:
    """When `monitor` was first asked about; `now` when that is now."""
    if rows := engine.rows(
        "SELECT min(first_seen) AS at FROM monitors WHERE name = {name:String} HAVING count() > 0", {"name": monitor}
    ):
        return rows[0]["at"]  # type: ignore[no-any-return]
    engine.insert("monitors", pa.table({"name": [monitor], "first_seen": pa.array([now], TIME)}))
    return now


def models(engine: Engine) -> list[ModelKey]:
    """Every model that has predictions."""
    rows = engine.rows("SELECT DISTINCT namespace, model FROM predictions ORDER BY namespace, model")
    return [ModelKey(row["namespace"], row["model"]) for row in rows]


def _run(row: Mapping[str, Any]) -> Run:
    span = RowSpan((row["first_received"], row["first_id"]), (row["last_received"], row["last_id"]))
    same = {f.name for f in fields(Run)} - {"window", "versions"}
    window = Window(row["window_start"], row["window_end"], span if row["last_id"] else None)
    return Run(**{name: row[name] for name in same}, window=window, versions=dict(row["versions"]))
