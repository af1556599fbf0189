"""What monitors found, as the API shows it: listed, and the newest."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.access import EVERY_NAMESPACE, Namespaces
from core.records import ModelKey
from core.times import rfc3339
from storage.engine import Engine
from storage.lookup.cursor import pack, unpack

# Columns of the API's rows.
SHOWN = (
    "run, revision, monitor, step, namespace, model, version, segment, field, window_start, window_end, score,"
    " threshold, fired, p_value, effect, reference_rows, window_rows, reason, interval_low, interval_high, detectable,"
    " basis, error_bound, alpha, calibration, rank"
)

# A window whose rows came late was run again: what its earlier runs found is kept, and shown no more.
_NEWEST = """(monitor, window_end, window_start, revision) NOT IN (
    SELECT monitor, window_end, window_start, arrayJoin(range(max(revision))) FROM runs WHERE revision > 0
    GROUP BY monitor, window_end, window_start)"""


@dataclass(frozen=True)
class ResultFilter:
    """What to list; None or '' = anything. `cursor` is the `next` of the page before."""

    monitor: str = ""
    model: ModelKey | None = None
    step: str = ""
    field: str = ""
    since: datetime | None = None
    limit: int = 100
    cursor: str = ""
    allowed: Namespaces = EVERY_NAMESPACE


_KEY = ("window_end", "monitor", "window_start", "step", "version", "segment", "field")
_KINDS = (datetime, str, datetime, str, str, str, str)
_POSITION = f"({', '.join(_KEY)})"
_POSITION_TYPE = "Tuple(DateTime64(6, 'UTC'), String, DateTime64(6, 'UTC'), String, String, String, String)"


def page(engine: Engine, wanted: ResultFilter) -> dict[str, Any]:
    """`{"results": […], "next": cursor or None}`, the newest window first. Rejected for a cursor that is none."""
    conditions: dict[str, tuple[str, Any]] = {
        "monitor": ("monitor = {monitor:String}", wanted.monitor),
        "namespace": ("namespace = {namespace:String}", wanted.model and wanted.model.namespace),
        "model": ("model = {model:String}", wanted.model and wanted.model.model),
        "step": ("step = {step:String}", wanted.step),
        "field": ("field = {field:String}", wanted.field),
        "allowed": ("namespace IN {allowed:Array(String)}", sorted(wanted.allowed.names or ())),
        "since": ("window_end >= {since:DateTime64(6, 'UTC')}", wanted.since),
        "cursor": (f"{_POSITION} < {{cursor:{_POSITION_TYPE}}}", wanted.cursor and unpack(wanted.cursor, _KINDS)),
    }
    used = {name: value for name, (_, value) in conditions.items() if value}
    where = " AND ".join([_NEWEST, *(conditions[name][0] for name in used)])
    rows = engine.rows(
        f"SELECT {SHOWN} FROM results FINAL WHERE {where} ORDER BY {_POSITION} DESC LIMIT {wanted.limit + 1:d}", used
    )
    last = rows[wanted.limit - 1] if len(rows) > wanted.limit else None
    shown = [as_shown(row) for row in rows[: wanted.limit]]
    return {"results": shown, "next": pack([last[name] for name in _KEY]) if last else None}


def latest(engine: Engine) -> list[dict[str, Any]]:
    """The results of every monitor's newest window, in the API's shape."""
    rows = engine.rows(
        f"SELECT {SHOWN} FROM results FINAL"
        " WHERE run IN (SELECT argMax(id, (window_end, revision)) FROM runs FINAL GROUP BY monitor)"
        " ORDER BY monitor, step, version, segment, field"
    )
    return [as_shown(row) for row in rows]


def as_shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row of SHOWN in the API's shape."""
    plain = {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in row.items()}
    low, high = plain.pop("interval_low"), plain.pop("interval_high")
    return {**plain, "fired": bool(row["fired"]), "interval": None if low is None else [low, high]}
