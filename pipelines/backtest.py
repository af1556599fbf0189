"""What the monitors of a configuration would have found in the past, and which alarms they would have given.

Each window is run as a live monitor runs it (`pipelines.monitor`), with a clock that says what it would have said then.
Nothing of it is kept: no results, runs, gauges or alarms. A reference that the store does not have yet is added to it,
by the hash of its content, as a live monitor would.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from core.config import (
    Config,
    MonitorConfig,
    RowsReference,
    RowWindows,
    SeasonReference,
    TimeWindows,
    WindowReference,
    model_key,
)
from core.errors import StepFailed
from core.findings import Window
from core.options import nearest
from core.protocols import Predict
from core.records import ModelKey
from core.times import duration_text, rfc3339
from explainers import EXPLAINERS
from pipelines.backtested import Backtested, Tally
from pipelines.libraries import worker_python
from pipelines.monitor import Tools, run_monitor
from pipelines.windows.basis import KeptBasis
from pipelines.windows.past import past_windows, run_at
from pipelines.windows.reference import Reference, References, first_rows
from pipelines.windows.schedule import ROW_SETTLE
from pipelines.worker import Worker
from storage.engine import Engine
from storage.findings import runs
from storage.findings.outcomes import Outcome
from storage.findings.past import Extent, came, extent, rows_of_runs
from storage.findings.states import StatesInMemory, StoredStates
from storage.retention import retention
from storage.windows import references


class Backtest:
    """`config` over what `engine` holds; `now` is the present. Close it."""

    def __init__(self, engine: Engine, config: Config, now: datetime) -> None:
        self._engine, self._now = engine, now
        self._worker = Worker()
        self._outside = Worker(python=worker_python()) if worker_python() else self._worker
        basis = KeptBasis(engine, config, self._clock)
        self._tools = Tools(
            engine, self._worker, _no_model, self._clock, config=config, outside=self._outside, basis=basis
        )
        self._references = References(engine, config, basis)

    def close(self) -> None:
        self._worker.stop()
        self._outside.stop()

    def _clock(self) -> datetime:
        return self._now

    def run(self, monitor: MonitorConfig, stretch: Window, told: Callable[[Window], None]) -> Backtested:
        """Over the windows that ended in (start, end] of `stretch`; `told` hears of each. ConfigError: no reference."""
        watched, held = _without_explainers(monitor), extent(self._engine, model_key(monitor.model))
        if held is None:
            return Backtested(monitor, notes=(self._unknown(monitor),))
        tally = Tally(rows_of_runs(self._engine, monitor.name, model_key(monitor.model)))
        for outcome in self.outcomes(watched, stretch, held):
            told(outcome.run.window)
            tally.add(outcome, counts=outcome.run.window.end > stretch.start)
        notes = _note(monitor, held, tally.windows), self._deleted(monitor, stretch, held)
        return tally.result(monitor, notes)

    def outcomes(self, monitor: MonitorConfig, stretch: Window, held: Extent) -> Iterator[Outcome]:
        """What each window would have left behind, the one before the stretch first: it says whether the first fires
        anew."""
        ready: datetime | None = None
        states = StatesInMemory(StoredStates(self._engine))
        for window in past_windows(self._engine, monitor, stretch, held):
            if (at := run_at(monitor, window)) > self._now:
                return
            reference = self._references.find(monitor, window, self._now)
            if isinstance(monitor.reference, RowsReference) and reference:
                ready = ready or self._ready(model_key(monitor.model), monitor.reference.first_rows, reference)
                reference = reference if ready <= at else None
            outcome = run_monitor(replace(self._tools, states=states), monitor, window, reference)
            states.keep(outcome.states)
            yield outcome

    def _ready(self, model: ModelKey, rows: int, reference: Reference) -> datetime:
        """When the last of the first rows had come; of those that are gone, what is kept with them says."""
        name, _, hash = reference.name.rpartition("@")
        kept = next(v for v in references.versions(self._engine) if (v.name, v.hash) == (name, hash))
        span = first_rows(self._engine, model, rows, self._now)
        if span and references.origin(model, Window(span.first[0], span.last[0])) == kept.origin:
            at = came(self._engine, model, span)
        else:
            at = datetime.fromisoformat(kept.origin.rpartition(" to ")[2])
        return at + ROW_SETTLE

    def _deleted(self, monitor: MonitorConfig, stretch: Window, held: Extent) -> str:
        """Whether windows or references reach back to where rows are gone, or may be."""
        start, first = stretch.start - _reach(monitor), rfc3339(held.first)
        if start < held.first and held.since < held.first:
            return f"rows of before {first} have been deleted: what reaches further back has only what profiles keep"
        days = retention(self._engine).get("predictions")
        if days and start < self._now - timedelta(days=days) and held.since <= held.first:
            return (
                f"predictions are kept for {days} days, and the first one stored is of {first}: older ones may be gone"
            )
        return ""

    def _unknown(self, monitor: MonitorConfig) -> str:
        known = ["/".join(key) if key.namespace != "default" else key.model for key in runs.models(self._engine)]
        return f"no predictions of the model '{monitor.model}' are stored; {nearest(monitor.model, known)}"


def _reach(monitor: MonitorConfig) -> timedelta:
    """How far back before the end of a window what it looks at may begin; rows of a row window may be older still."""
    length = monitor.window.length if isinstance(monitor.window, TimeWindows) else timedelta(0)
    match monitor.reference:
        case WindowReference(window=window, offset=offset):
            return length + offset + window
        case SeasonReference(over=over):
            return length + over
    return length


def _without_explainers(monitor: MonitorConfig) -> MonitorConfig:
    """They call models, and fire nothing."""
    return monitor.model_copy(update={"steps": tuple(step for step in monitor.steps if step.use not in EXPLAINERS)})


def _note(monitor: MonitorConfig, held: Extent, windows: int) -> str:
    stored = f"{held.rows} predictions are stored, of {rfc3339(held.first)} to {rfc3339(held.last)}"
    match monitor.window:
        case TimeWindows(length=length) if windows and length > held.last - held.first:
            return f"a window takes {duration_text(length)}: {stored}, so that none is full"
        case RowWindows(rows=rows) if not windows:
            return f"no {rows} rows were received in that time: {stored}"
    return "" if windows else f"no window ended in that time: {stored}"


def _no_model(model: ModelKey, version: str) -> Predict:
    raise StepFailed("a backtest asks no model")
