"""What the monitors of a configuration would have found in the past, and which alarms they would have given.

Each window is run as a live monitor runs it (`pipelines.monitor`), with a clock that says what it would have said then.
Nothing of it is kept: no results, runs, gauges or alarms. A reference that the store does not have yet is added to it,
by the hash of its content, as a live monitor would.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.config import Config, MonitorConfig, RowsReference, RowWindows, TimeWindows, model_key
from core.errors import StepFailed
from core.findings import Finding, Window
from core.options import nearest
from core.protocols import Predict
from core.records import ModelKey
from core.times import duration_text, rfc3339
from explainers import EXPLAINERS
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
from storage.findings.past import Extent, came, extent
from storage.findings.states import StatesInMemory, StoredStates
from storage.windows import references

MONTH = timedelta(days=30)  # as of `false_alarms: 1/month`
REASONS = 3  # that are told one by one


@dataclass(frozen=True)
class Alarm:
    """A monitor went from no field fired to any; `finding` explains it best."""

    time: datetime
    finding: Finding
    fired: int


@dataclass(frozen=True)
class Backtested:
    """What one monitor would have done in `windows` windows over `length`; `notes` say what else is to be known.

    `failed` windows had a step that failed, `undecided` ones nothing to decide: no rows, or no reference yet.
    """

    monitor: MonitorConfig
    windows: int = 0
    failed: int = 0
    undecided: int = 0
    length: timedelta = timedelta(0)
    alarms: tuple[Alarm, ...] = ()
    worst_field: str = ""
    notes: tuple[str, ...] = ()

    @property
    def alarms_per_month(self) -> float | None:
        """None when nothing was run."""
        return len(self.alarms) * (MONTH / self.length) if self.length else None


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
        tally = _Tally()
        for outcome in self.outcomes(watched, stretch, held):
            told(outcome.run.window)
            tally.add(outcome, counts=outcome.run.window.end > stretch.start)
        return tally.result(monitor, _note(monitor, held, tally.windows))

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
        span = first_rows(self._engine, model, rows, self._now)
        if span and (at := came(self._engine, model, span)):
            return at + ROW_SETTLE
        name, _, hash = reference.name.rpartition("@")
        kept = next(v for v in references.versions(self._engine) if (v.name, v.hash) == (name, hash))
        return datetime.fromisoformat(kept.origin.rpartition(" to ")[2]) + ROW_SETTLE

    def _unknown(self, monitor: MonitorConfig) -> str:
        known = ["/".join(key) if key.namespace != "default" else key.model for key in runs.models(self._engine)]
        return f"no predictions of the model '{monitor.model}' are stored; {nearest(monitor.model, known)}"


class _Tally:
    """Counts windows in their order."""

    def __init__(self) -> None:
        self.windows = 0
        self._failed, self._undecided = Counter[str](), Counter[str]()  # by reason
        self._span: Window | None = None
        self._firing = False
        self._alarms: list[Alarm] = []
        self._fields: Counter[str] = Counter()

    def add(self, outcome: Outcome, counts: bool) -> None:
        """Without `counts` only whether it fires is remembered."""
        fired = [finding for finding in outcome.findings if finding.score.fired]
        if counts:
            self._count(outcome, fired)
        self._firing = bool(fired)

    def _count(self, outcome: Outcome, fired: Sequence[Finding]) -> None:
        window = outcome.run.window
        self.windows += 1
        if outcome.run.status == "failed":
            self._failed[outcome.run.reason] += 1
        if outcome.findings and all(finding.score.score is None for finding in outcome.findings):
            self._undecided[outcome.findings[0].score.reason] += 1
        self._fields.update(finding.field for finding in fired if finding.field)
        self._span = Window(min(self._span.start, window.start) if self._span else window.start, window.end)
        if fired and not self._firing:
            self._alarms.append(Alarm(window.end, min(fired, key=_explains), len(fired)))

    def result(self, monitor: MonitorConfig, note: str) -> Backtested:
        length = self._span.end - self._span.start if self._span else timedelta(0)
        worst = next((field for field, _ in self._fields.most_common(1)), "")
        counts = self.windows, self._failed.total(), self._undecided.total()
        said = [*_counted("failed", self._failed), *_counted("could not be decided", self._undecided)]
        return Backtested(monitor, *counts, length, tuple(self._alarms), worst, (*said, *([note] if note else [])))


def _counted(what: str, reasons: Counter[str]) -> list[str]:
    """A line for each reason, the most frequent ones first; how many windows have any of the others."""
    told = reasons.most_common(REASONS)
    lines = [f"{count} of the windows {what}: {reason}" for reason, count in told]
    others = reasons.total() - sum(count for _, count in told)
    return [*lines, *([f"{others} more of the windows {what}, for other reasons"] if others else [])]


def _explains(finding: Finding) -> tuple[float, float]:
    """By rank where there is one, then by how many times its threshold the score is."""
    score, threshold = finding.score.score or 0.0, finding.score.threshold or 0.0
    return finding.rank or float("inf"), -score / threshold if threshold else -score


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
