"""`tidemark.yaml` as values. Strict: an unknown key is an error that names the file, the line and the nearest key."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import AfterValidator, Field, PrivateAttr, ValidationError

from core.config.access import Tls, TokenConfig, TokenScope
from core.config.budget import Rate
from core.config.delivery import HALVES_IN_MEMORY, Limits, Pairing, TapConfig, Wal
from core.config.errors import duplicate_key, explain, not_yaml
from core.config.masking import Masking
from core.config.models import DatasetConfig, FieldConfig, ModelConfig
from core.config.monitors import (
    AlertConfig,
    DatasetReference,
    MonitorConfig,
    RowsReference,
    RowWindows,
    SeasonReference,
    Severity,
    StepConfig,
    TimeWindows,
    WindowReference,
)
from core.config.types import Strict
from core.config.written import Written
from core.errors import ConfigError
from core.records import ModelKey

__all__ = [
    "HALVES_IN_MEMORY",
    "AlertConfig",
    "Config",
    "DatasetConfig",
    "DatasetReference",
    "FieldConfig",
    "Limits",
    "Masking",
    "ModelConfig",
    "MonitorConfig",
    "Pairing",
    "Rate",
    "RowWindows",
    "RowsReference",
    "SeasonReference",
    "Severity",
    "StepConfig",
    "TapConfig",
    "TimeWindows",
    "Tls",
    "TokenConfig",
    "TokenScope",
    "Wal",
    "WindowReference",
    "load",
    "model_key",
    "parse",
]

Named = TypeVar("Named", tuple[TapConfig, ...], tuple[MonitorConfig, ...], tuple[TokenConfig, ...])


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
    tokens: Annotated[tuple[TokenConfig, ...], AfterValidator(_named_apart)] = Field(
        default=(), description="with any token here, calls without one are refused"
    )
    tls: Tls | None = None
    masking: Masking = Masking()
    wal: Wal = Wal()
    pairing: Pairing = Pairing()
    retention: Mapping[str, Annotated[int, Field(ge=1, description="days")]] = {}
    auto: bool = Field(default=True, description="give a model without a monitor one by itself")
    _written: Written = PrivateAttr(default=Written())

    @property
    def written(self) -> Written:
        """Where: what is found to be wrong later has its line there."""
        return self._written

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
        config = Config.model_validate({} if values is None else values)
    except ValidationError as error:
        lines = dict.fromkeys(explain(mistake, node, Config) for mistake in error.errors())
        raise ConfigError("\n".join(f"{name}:{line}" for line in lines)) from None
    config._written = Written(name, text)
    return config
