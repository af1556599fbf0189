"""Monitors: which windows of a model go through which steps, and against what."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Tag, model_validator

from core.config.budget import FalseAlarms
from core.config.types import Duration, Name, Strict, by_key
from core.times import duration_text

Severity = Literal["page", "ticket", "info"]


class DatasetReference(Strict):
    dataset: str


class WindowReference(Strict):
    """The stretch of `window` length that ended `offset` before the tested window began."""

    window: Duration
    offset: Duration = timedelta(0)


class RowsReference(Strict):
    """The model's first `rows` rows."""

    first_rows: Annotated[int, Field(ge=2)]


class SeasonReference(Strict):
    """The same season as the tested window's, over a stretch before it.

    `hour_of_day`: the same time of day on each day; `hour_of_week`: the same time in each week; `day_of_week`: the
    whole of the same days of each week.
    """

    same: Literal["hour_of_day", "day_of_week", "hour_of_week"]
    over: Duration

    @model_validator(mode="after")
    def _two_at_least(self) -> "SeasonReference":
        if self.over < 2 * self.period:
            raise ValueError(f"'over' must be at least {duration_text(2 * self.period)}")
        return self

    @property
    def period(self) -> timedelta:
        return timedelta(days=1) if self.same == "hour_of_day" else timedelta(weeks=1)


class TimeWindows(Strict):
    """Every `every`, the stretch `over` that ended then, once `settle` has passed for late rows."""

    every: Duration
    over: Duration | None = None
    settle: Duration = timedelta(seconds=30)

    @model_validator(mode="after")
    def _positive(self) -> "TimeWindows":
        if self.every <= timedelta(0) or self.length <= timedelta(0):
            raise ValueError("'every' and 'over' must be longer than 0s")
        return self

    @property
    def length(self) -> timedelta:
        return self.over or self.every


class RowWindows(Strict):
    """Every `rows` rows, in order of (received, id)."""

    rows: Annotated[int, Field(ge=1)]


Reference = Annotated[
    Annotated[DatasetReference, Tag("<dataset>")]
    | Annotated[WindowReference, Tag("<window>")]
    | Annotated[RowsReference, Tag("<first_rows>")]
    | Annotated[SeasonReference, Tag("<same>")],
    by_key("dataset", "window", "first_rows", "same"),
]
Windows = Annotated[
    Annotated[TimeWindows, Tag("<every>")] | Annotated[RowWindows, Tag("<rows>")],
    by_key("every", "rows"),
]


class StepConfig(Strict):
    """One step of a monitor: `use` a detector or an explainer by name, `after` an earlier step fired.

    `false_alarms` is what it may take of the monitor's; the steps without share the rest.
    """

    name: Name
    use: str
    options: Mapping[str, Any] = {}
    after: Annotated[str, Field(pattern=r"^.+\.fired$")] | None = None
    rows: Annotated[int, Field(ge=1)] = 20
    false_alarms: FalseAlarms | None = None


class AlertConfig(Strict):
    severity: Severity = "ticket"
    for_: Duration = Field(default=timedelta(0), alias="for")


def _in_order(steps: tuple[StepConfig, ...]) -> tuple[StepConfig, ...]:
    if not steps:
        raise ValueError("a monitor has at least one step")
    names = [step.name for step in steps]
    for k, step in enumerate(steps):
        if step.name in names[:k]:
            raise ValueError(f"two steps are named '{step.name}'")
        if step.after and step.after.removesuffix(".fired") not in names[:k]:
            raise ValueError(f"step '{step.name}' runs after '{step.after}', but the steps before it are: {names[:k]}")
    return steps


class MonitorConfig(Strict):
    name: Name
    model: str
    reference: Reference
    window: Windows
    segments: tuple[Annotated[str, Field(pattern=r"^tags\..+")], ...] = ()
    steps: Annotated[tuple[StepConfig, ...], AfterValidator(_in_order)]
    exact: bool = Field(default=False, description="count the rows of every window instead of merging profiles")
    alert: AlertConfig = AlertConfig()
    false_alarms: FalseAlarms | None = None

    @model_validator(mode="after")
    def _of_one_season(self) -> "MonitorConfig":
        if isinstance(self.reference, SeasonReference):
            if not isinstance(self.window, TimeWindows):
                raise ValueError("a seasonal reference goes with windows of time, such as {every: 1h}")
            if self.window.length > self.reference.period:
                raise ValueError(f"windows are longer than the season of {duration_text(self.reference.period)}")
        return self

    @model_validator(mode="after")
    def _within_budget(self) -> "MonitorConfig":
        """The steps' shares are no more than the whole."""
        if self.false_alarms is None:
            return self
        shares = [step.false_alarms for step in self.steps if step.false_alarms]
        if isinstance(self.window, RowWindows) and any(s.timed != self.false_alarms.timed for s in shares):
            raise ValueError("with windows of rows, the shares of steps are by time or by windows as the monitor's is")
        spacing = self.window.every if isinstance(self.window, TimeWindows) else timedelta(hours=1)
        left = self.false_alarms.each_look(spacing) - sum(share.each_look(spacing) for share in shares)
        if left < -1e-9 * self.false_alarms.each_look(spacing):
            raise ValueError(f"its steps take more than its {self.false_alarms} false alarms")
        return self
