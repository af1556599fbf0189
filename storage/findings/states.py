"""What sequential detectors remember from one window to the next."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

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


class Step(NamedTuple):
    """Of a monitor; `configuration` as in `DetectorState`."""

    monitor: str
    name: str
    configuration: str


class States(Protocol):
    def remembered(self, step: Step, before: datetime) -> Remembered:
        """The newest states of the step, of windows that ended before `before`."""


class StoredStates:
    """Those that `save_states` kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def remembered(self, step: Step, before: datetime) -> Remembered:
        return _remembered(self._engine, step, before)


class StatesInMemory:
    """Those of windows run one after the other without a trace; before the first of them, what was `stored`."""

    def __init__(self, stored: States) -> None:
        self._stored = stored
        self._kept: dict[Step, Remembered] = {}

    def remembered(self, step: Step, before: datetime) -> Remembered:
        return self._kept.get(step) or self._stored.remembered(step, before)

    def keep(self, states: Iterable[DetectorState]) -> None:
        """Of the window that ran last."""
        for state in states:
            step, stream = Step(state.monitor, state.step, state.configuration), Stream(state.version, state.field)
            before = self._kept[step].states if step in self._kept else {}
            self._kept[step] = Remembered({**before, stream: state.state}, state.window_end)


def _remembered(engine: Engine, step: Step, before: datetime) -> Remembered:
    rows = engine.rows(
        "SELECT version, field, state, window_end FROM detector_states FINAL"
        " WHERE monitor = {monitor:String} AND step = {name:String} AND configuration = {configuration:String}"
        " AND window_end < {before:DateTime64(6, 'UTC')} ORDER BY window_end DESC LIMIT 1 BY version, field",
        {**step._asdict(), "before": before},
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
