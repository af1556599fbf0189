"""What a step is given and what it gives back."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, ParamSpec, TypeVar

from core.config import MonitorConfig, StepConfig
from core.contract import Contract
from core.distribution import Floats
from core.findings import (
    Basis,
    Calibration,
    DetectorState,
    Explanation,
    Finding,
    FindingKind,
    Report,
    RowScore,
    Score,
    Window,
)
from core.protocols import Predict
from core.records import ModelKey
from pipelines.alarms.budget import Allowance
from pipelines.alarms.calibrating import Calibrations
from pipelines.alarms.history import History
from pipelines.steps.verdict import Unit, told
from pipelines.windows.look import Look
from pipelines.worker import Worker
from storage.findings.states import States

P = ParamSpec("P")
T = TypeVar("T")

Predictor = Callable[[ModelKey, str], Predict]


class Place(NamedTuple):
    """What a finding is about: a field ('' = whole rows) in `rows` rows of a version and segment.

    `basis` and `error_bound` say what it was computed from, as in `Finding`.
    """

    version: str = ""
    segment: str = ""
    field: str = ""
    rows: int = 0
    reference_rows: int = 0
    basis: Basis = "rows"
    error_bound: float = 0.0


class StepResult(NamedTuple):
    findings: Sequence[Finding] = ()
    scores: Sequence[RowScore] = ()
    explanations: Sequence[Explanation] = ()
    reports: Sequence[Report] = ()
    states: Sequence[DetectorState] = ()

    @property
    def fired(self) -> bool:
        return any(finding.score.fired for finding in self.findings)


@dataclass(frozen=True)
class Subject:
    """The run that steps belong to: which monitor looks at which window of which model, and what is declared of its
    fields."""

    run: str
    monitor: MonitorConfig
    model: ModelKey
    window: Window
    contracts: Mapping[str, Contract] = field(default_factory=dict)

    def finding(self, step: str, place: Place, score: Score, kind: FindingKind = "drift") -> Finding:
        return Finding(
            run=self.run,
            monitor=self.monitor.name,
            step=step,
            namespace=self.model.namespace,
            model=self.model.model,
            version=place.version,
            segment=place.segment,
            field=place.field,
            window=self.window,
            score=score,
            reference_rows=place.reference_rows,
            window_rows=place.rows,
            kind=kind,
            basis=place.basis,
            error_bound=place.error_bound,
        )


@dataclass(frozen=True)
class Task:
    """One step. `before` is the result of the step it runs after, an empty one when there is none.

    `outside` is the worker for other libraries' detectors.
    """

    step: StepConfig
    subject: Subject
    look: Look
    worker: Worker
    outside: Worker
    predictor: Predictor
    before: StepResult
    allowance: Allowance
    history: History
    calibrations: Calibrations
    states: States

    def call(self, heavy: bool, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Heavy work goes to the worker process."""
        return self.worker.call(function, *args, **kwargs) if heavy else function(*args, **kwargs)

    def finding(self, place: Place, score: Score, kind: FindingKind = "drift") -> Finding:
        return self.subject.finding(self.step.name, place, score, kind)

    def row_scores(self, ids: Sequence[str], scores: Floats, threshold: float) -> list[RowScore]:
        """One for each row that has a score: NaN is none."""
        subject = self.subject
        return [
            RowScore(
                id=id,
                namespace=subject.model.namespace,
                model=subject.model.model,
                monitor=subject.monitor.name,
                step=self.step.name,
                run=subject.run,
                score=score,
                threshold=threshold,
            )
            for id, score in zip(ids, scores.tolist(), strict=True)
            if not math.isnan(score)
        ]

    def decided(self, finding: Finding, unit: Unit, alpha: float, lacks: str) -> Finding:
        """`finding` with what decided it: `alpha` allowed by its law, and the history that it `lacks` ('' = none)."""
        uncalibrated = self.allowance.declared and lacks
        score = told(finding.score, unit, alpha, f"uncalibrated: {lacks}" if uncalibrated else "")
        calibration: Calibration = "uncalibrated" if uncalibrated else "calibrated" if self.allowance.declared else ""
        return replace(finding, score=score, alpha=alpha, calibration=calibration)
