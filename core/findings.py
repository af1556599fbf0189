"""What steps find and what a run records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

FindingKind = Literal["drift", "outlier", "schema"]

# What a finding was computed from: rows counted in the store, or states merged from `profiles`.
Basis = Literal["rows", "profiles"]

# Whether the threshold comes from the reference's own history; '' where no budget was declared.
Calibration = Literal["", "calibrated", "uncalibrated"]


@dataclass(frozen=True)
class Score:
    """A step's verdict on one field. `score` and `threshold` are on the statistic's own scale; None = undecidable.

    `effect`: size of the change where it has a natural unit (see each detector), with its 95 % confidence `interval`.
    `detectable`: the smallest effect that samples of these sizes would show in four of five windows, in the same unit.
    `reason` is one line for a person.
    """

    score: float | None
    threshold: float | None
    p_value: float | None = None
    effect: float | None = None
    reason: str = ""
    interval: tuple[float, float] | None = None
    detectable: float | None = None

    @property
    def fired(self) -> bool:
        """Always upward: the score is above its threshold."""
        return self.score is not None and self.threshold is not None and self.score > self.threshold


class RowSpan(NamedTuple):
    """The first and the last row of a row-count window, both within it, each as (received, id)."""

    first: tuple[datetime, str]
    last: tuple[datetime, str]


@dataclass(frozen=True, order=True)
class Window:
    """Rows with start <= time < end (UTC). A row-count window is its `rows`, from first to last `received`."""

    start: datetime
    end: datetime
    rows: RowSpan | None = None


@dataclass(frozen=True)
class Run:
    """One monitor over one window: the lineage of its findings.

    `revision` counts how often rows came late and the window was run again; `states` is the newest revision of the
    profiles of its minutes that the run can have seen.
    """

    id: str
    monitor: str
    namespace: str
    model: str
    window: Window
    status: Literal["done", "failed"]
    started: datetime
    finished: datetime
    rows: int
    reference: str = ""
    reason: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    revision: int = 0
    states: int = 0


@dataclass(frozen=True)
class Finding:
    """One row of `results`; its key is (monitor, step, version, segment, field, window).

    `error_bound`: by how much the score may differ from one of all rows, 0 when it was computed from them.
    `alpha`: the false-alarm probability this one comparison was allowed. `rank`: 1 for what explains an alarm best,
    then 2, …; 0 for what did not fire.
    """

    run: str
    monitor: str
    step: str
    namespace: str
    model: str
    version: str
    segment: str
    field: str
    window: Window
    score: Score
    reference_rows: int
    window_rows: int
    kind: FindingKind = "drift"
    revision: int = 0
    basis: Basis = "rows"
    error_bound: float = 0.0
    alpha: float | None = None
    calibration: Calibration = ""
    rank: int = 0


@dataclass(frozen=True)
class RowScore:
    """An outlier step's score of one stored prediction."""

    id: str
    namespace: str
    model: str
    monitor: str
    step: str
    run: str
    score: float
    threshold: float


@dataclass(frozen=True)
class DetectorState:
    """What a sequential detector remembers after a window: `state` is what JSON can hold.

    `configuration` names the detector with its options and the reference it began with.
    """

    monitor: str
    step: str
    configuration: str
    version: str
    field: str
    window_end: datetime
    state: Mapping[str, Any]


@dataclass(frozen=True)
class Report:
    """A library's own HTML about one step of a run; `constant` are long parts of it that every report repeats."""

    run: str
    step: str
    version: str
    namespace: str
    html: str
    constant: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Attributions of one stored prediction: `values[field]` sum to `prediction - baseline`, up to `errors`.

    `errors` are standard errors of the values, 0 where the computation was exact.
    """

    id: str
    namespace: str
    model: str
    version: str
    explainer: str
    output: str
    prediction: float
    baseline: float
    values: dict[str, float]
    errors: dict[str, float]
    model_calls: int
    monitor: str = ""
    run: str = ""
