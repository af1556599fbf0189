"""Monitors: which windows of a model go through which steps, and against what."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Tag, model_validator

from core.config.types import Duration, Name, Strict, by_key

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
    | Annotated[RowsReference, Tag("<first_rows>")],
    by_key("dataset", "window", "first_rows"),
]
Windows = Annotated[
    Annotated[TimeWindows, Tag("<every>")] | Annotated[RowWindows, Tag("<rows>")],
    by_key("every", "rows"),
]


class StepConfig(Strict):
    """One step of a monitor: `use` a detector or an explainer by name, `after` an earlier step fired."""

    name: Name
    use: str
    options: Mapping[str, Any] = {}
    after: Annotated[str, Field(pattern=r"^.+\.fired$")] | None = None
    rows: Annotated[int, Field(ge=1)] = 20


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
