"""Tidemark's own step over simulated windows: its budget, its thresholds from history, its verdicts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from core.config import MonitorConfig
from core.distribution import Distribution, Kind
from core.findings import Window
from core.records import ModelKey
from core.times import EPOCH
from detectors import FieldDetector, make
from pipelines.alarms.budget import allowances
from pipelines.alarms.calibrating import Calibrations
from pipelines.alarms.history import Block, History, Stretch, no_history
from pipelines.steps.fields import compare_fields
from pipelines.steps.task import Predictor, StepResult, Subject, Task
from pipelines.steps.verdict import excess
from pipelines.windows.look import Fields, Pair
from pipelines.worker import Worker
from storage.findings.states import Remembered, Step
from storage.windows.distributions import Field, Part, Totals

BUDGET = 100  # windows to one alarm

Columns = Sequence[Distribution]


def _no_model(model: ModelKey, version: str) -> Any:
    raise RuntimeError("no step asks a model")


class _Forgetful:
    """No stream is watched here."""

    def remembered(self, step: Step, before: datetime) -> Remembered:
        raise RuntimeError("no step has a state")


_PREDICTOR: Predictor = _no_model
_WORKER = Worker()
_WINDOW = Window(EPOCH, EPOCH + timedelta(hours=1))


def part(columns: Columns, kind: Kind) -> Part:
    named = {Field(f"f{n}", kind): column for n, column in enumerate(columns)}
    return Part("", "", round(columns[0].effective_rows), named)


class _Given:
    """A reader of what is in memory: the relation is the part itself."""

    def totals(self, relation: Part, segment: str) -> list[Totals]:
        column = next(iter(relation.fields.values()))
        weights = column.total, column.total**2 / column.effective_rows
        return [Totals("", "", relation.rows, (), column.squares is not None, weights, weights)]

    def parts(self, relation: Any, totals: Any, segment: str, only: Any) -> list[Part]:
        return [relation]


def block(given: Part) -> Block:
    return Block(given, _Given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Look:
    """The window and the reference; of `fields` fields, those in the parts are looked at."""

    window: Part
    reference: Part
    fields_: int
    segments: tuple[str, ...] = ("",)
    chunks: tuple[None, ...] = (None,)
    versions: tuple[str, ...] = ("",)

    def pairs(self) -> list[list[Pair]]:
        return [[Pair(self.window, self.reference)]]

    def fields(self) -> list[Fields]:
        (kind,) = {field.kind for field in self.window.fields}
        named = {Field(f"f{n}", kind) for n in range(self.fields_)}
        return [Fields("", "", self.window.rows, named, named)]


@dataclass
class Monitor:
    """One monitor with one step, `use`; `stretches` are the reference's history."""

    use: str
    fields: int
    stretches: Sequence[Stretch] = ()
    calibrations: Calibrations = field(default_factory=Calibrations)

    def __post_init__(self) -> None:
        self._detector: FieldDetector = make(self.use)  # type: ignore[assignment]
        config = MonitorConfig.model_validate(
            {
                "name": "simulated",
                "model": "m",
                "reference": {"window": "7d"},
                "window": {"every": "1h"},
                "steps": [{"name": "drift", "use": self.use}],
                "false_alarms": f"1/{BUDGET} windows",
            }
        )
        self._subject = Subject("run", config, ModelKey("default", "m"), _WINDOW)
        self._allowance = allowances(config, timedelta(hours=1))["drift"]
        cut: Callable[[], Sequence[Stretch]] = lambda: self.stretches  # noqa: E731
        self._history = History("simulated", "1h", cut) if self.stretches else no_history()

    def look(self, reference: Part, window: Part) -> StepResult:
        look: Any = Look(window, reference, self.fields)
        (step,) = self._subject.monitor.steps
        task = Task(
            step=step,
            subject=self._subject,
            look=look,
            worker=_WORKER,
            outside=_WORKER,
            predictor=_PREDICTOR,
            before=StepResult(),
            allowance=self._allowance,
            history=self._history,
            calibrations=self.calibrations,
            states=_Forgetful(),
        )
        return compare_fields(task, self._detector)

    def highest(self, reference: Part, window: Part) -> float:
        """How many times its threshold the highest score is; it fires above 1."""
        return max(excess(finding.score) for finding in self.look(reference, window).findings)
