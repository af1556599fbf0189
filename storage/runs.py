"""How far each monitor got, and which models there are to monitor."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from core.findings import RowSpan, Run, Window
from core.records import TIME, ModelKey
from storage.engine import Engine


def last_runs(engine: Engine) -> dict[str, Run]:
    """The run over the newest window of each monitor."""
    rows = engine.rows("SELECT * FROM runs FINAL ORDER BY window_end DESC LIMIT 1 BY monitor")
    return {row["monitor"]: _run(row) for row in rows}


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
    same = ("id", "monitor", "namespace", "model", "status", "started", "finished", "rows", "reference", "reason")
    window = Window(row["window_start"], row["window_end"], span if row["last_id"] else None)
    return Run(**{name: row[name] for name in same}, window=window, versions=dict(row["versions"]))
