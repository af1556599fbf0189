"""What sequential detectors remember from one window to the next."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from core.findings import DetectorState
from core.records import TIME
from storage.engine import Engine


class Stream(NamedTuple):
    """The values of one field of one version of a model."""

    version: str
    field: str


class Remembered(NamedTuple):
    """States by stream; `until` is where the newest window before ended, None when there is none."""

    states: Mapping[Stream, Mapping[str, Any]]
    until: datetime | None


def remembered(engine: Engine, step: tuple[str, str, str], before: datetime) -> Remembered:
    """The newest states of step = (monitor, step, configuration), of windows that ended before `before`."""
    rows = engine.rows(
        "SELECT version, field, state, window_end FROM detector_states FINAL"
        " WHERE monitor = {monitor:String} AND step = {step:String} AND configuration = {configuration:String}"
        " AND window_end < {before:DateTime64(6, 'UTC')} ORDER BY window_end DESC LIMIT 1 BY version, field",
        {**dict(zip(("monitor", "step", "configuration"), step, strict=True)), "before": before},
    )
    states = {Stream(row["version"], row["field"]): json.loads(row["state"]) for row in rows}
    return Remembered(states, max((row["window_end"] for row in rows), default=None))


def save_states(engine: Engine, states: Iterable[DetectorState]) -> None:
    """In the order given. A state of the same window is replaced."""
    rows = [vars(state) | {"state": json.dumps(state.state, allow_nan=False)} for state in states]
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        ends = pa.array(columns.pop("window_end"), TIME)
        engine.insert("detector_states", pa.table({**columns, "window_end": ends}))
