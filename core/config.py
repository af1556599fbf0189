"""`tidemark.yaml` as values. Strict: an unknown key is an error that names the file, the line and the nearest key."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    ValidationError,
    model_validator,
)

from core.config_errors import duplicate_key, explain, not_yaml
from core.errors import ConfigError
from core.records import ModelKey, Role
from core.times import duration, duration_text


def _duration(value: object) -> timedelta:
    return value if isinstance(value, timedelta) else duration(str(value))


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(duration_text, when_used="json")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
Severity = Literal["page", "ticket", "info"]
TapName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="one part of a URL's path")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldConfig(Strict):
    """What a field of a model is declared to be."""

    kind: Literal["num", "cat"] = "num"
    role: Role = "input"
    range: tuple[float, float] | None = None


class ModelConfig(Strict):
    namespace: str | None = None
    endpoint: str | None = Field(
        default=None, description="URL of the model's V2 resource: http://host:port/v2/models/<name>"
    )
    names: Mapping[str, tuple[str, ...]] = Field(
        default={}, description="column names of a tensor with several columns"
    )
    fields: Mapping[str, FieldConfig] = {}


class DatasetConfig(Strict):
    """A reference data set in a Parquet or CSV file; `fields` renames columns, `id` is a column that is no field."""

    path: str
    id: str | None = None
    fields: Mapping[str, str] = {}


class TapConfig(Strict):
    """A reverse proxy at /tap/<name>/ in front of one inference server."""

    name: TapName
    upstream: Annotated[str, Field(pattern=r"^https?://")]
    tags: tuple[str, ...] = Field((), description="request headers kept as tags of the prediction")


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


def _by_key(*keys: str) -> Discriminator:
    """Tell a union's members apart by the key only one of them has, so that an error speaks of one member only."""

    def tag(value: Any) -> str:
        known = value if isinstance(value, Mapping) else type(value).model_fields if isinstance(value, Strict) else ()
        return f"<{next((key for key in keys if key in known), keys[0])}>"

    return Discriminator(tag)


Reference = Annotated[
    Annotated[DatasetReference, Tag("<dataset>")]
    | Annotated[WindowReference, Tag("<window>")]
    | Annotated[RowsReference, Tag("<first_rows>")],
    _by_key("dataset", "window", "first_rows"),
]
Windows = Annotated[
    Annotated[TimeWindows, Tag("<every>")] | Annotated[RowWindows, Tag("<rows>")],
    _by_key("every", "rows"),
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
    alert: AlertConfig = AlertConfig()


class Limits(Strict):
    """What is refused (413) or not accepted for now (503)."""

    body_bytes: Annotated[int, Field(ge=1024)] = 64 * 2**20
    rows_per_request: Annotated[int, Field(ge=1)] = 1_000_000
    fields_per_row: Annotated[int, Field(ge=1)] = 10_000
    events_per_batch: Annotated[int, Field(ge=1)] = 10_000
    spool_bytes: Annotated[int, Field(ge=2**20)] = 256 * 2**20


class Wal(Strict):
    """The log that an event is in before its 2xx; senders get 503 when it is full."""

    dir: str | None = Field(default=None, description="beside an embedded store <its folder>-wal, else ./tidemark-wal")
    bytes: Annotated[int, Field(ge=2**20)] = 2**30
    fsync: bool = Field(default=True, description="without it a power loss, but no crash of the process, loses events")


Named = TypeVar("Named", tuple[TapConfig, ...], tuple[MonitorConfig, ...])


def _named_apart(declared: Named) -> Named:
    _refuse_twice([d.name for d in declared])
    return declared


def _keyed_apart(models: Mapping[str, ModelConfig]) -> Mapping[str, ModelConfig]:
    _refuse_twice(["/".join(model_key(name, declared.namespace)) for name, declared in models.items()])
    return models


def _refuse_twice(names: Sequence[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two are named '{twice[0]}'")


class Config(Strict):
    """The whole of tidemark.yaml; every part may be left out."""

    models: Annotated[Mapping[str, ModelConfig], AfterValidator(_keyed_apart)] = {}
    datasets: Mapping[str, DatasetConfig] = {}
    taps: Annotated[tuple[TapConfig, ...], AfterValidator(_named_apart)] = ()
    monitors: Annotated[tuple[MonitorConfig, ...], AfterValidator(_named_apart)] = ()
    limits: Limits = Limits()
    wal: Wal = Wal()
    retention: Mapping[str, Annotated[int, Field(ge=1, description="days")]] = {}
    auto: bool = Field(default=True, description="give a model without a monitor one by itself")

    def model(self, key: ModelKey) -> ModelConfig:
        """The declaration of a model, the empty one when there is none."""
        return self._models().get(key, ModelConfig())

    @property
    def watched(self) -> tuple[MonitorConfig, ...]:
        """The monitors, their models with the namespace that is declared for them: `team-a/income`."""
        return tuple(monitor.model_copy(update={"model": self._full_name(monitor.model)}) for monitor in self.monitors)

    def key_of(self, name: str) -> ModelKey:
        """The key of a model that is known only by name, as on the path of an inference."""
        return next((key for key in self._models() if key.model == name), model_key(name))

    def _full_name(self, model: str) -> str:
        key = self.key_of(model)
        return model if key == model_key(model) else f"{key.namespace}/{key.model}"

    def _models(self) -> dict[ModelKey, ModelConfig]:
        return {model_key(name, declared.namespace): declared for name, declared in self.models.items()}


def model_key(name: str, namespace: str | None = None) -> ModelKey:
    """`income` is in the namespace `default` unless told otherwise; `team-a/income` names another."""
    head, slash, tail = name.partition("/")
    return ModelKey(namespace or head, tail) if slash else ModelKey(namespace or "default", name)


def load(path: Path | None = None) -> Config:
    """Read `path`; without one, ./tidemark.yaml when it is there, else all defaults. ConfigError otherwise."""
    if path is None:
        path = Path("tidemark.yaml")
        if not path.exists():
            return Config()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, name: str = "tidemark.yaml") -> Config:
    """`text` as a configuration; every mistake in it becomes one line of the ConfigError."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(not_yaml(error, text, name)) from None
    if twice := duplicate_key(node):
        raise ConfigError(f"{name}:{twice.start_mark.line + 1}: the key '{twice.value}' is there twice")
    try:
        return Config.model_validate({} if values is None else values)
    except ValidationError as error:
        lines = dict.fromkeys(explain(mistake, node, Config) for mistake in error.errors())
        raise ConfigError("\n".join(f"{name}:{line}" for line in lines)) from None
