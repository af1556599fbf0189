"""What is wrong with the monitors of a configuration, before any of them runs."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from core.config import Config, DatasetConfig, DatasetReference, MonitorConfig, Rate, TimeWindows, model_key
from core.errors import ConfigError
from core.options import nearest
from core.records import ModelKey
from detectors import SEQUENTIAL
from explainers import EXPLAINERS
from pipelines.alarms.budget import allowances
from pipelines.libraries import uninstalled
from pipelines.steps.modules import module
from storage.engine import Engine
from storage.lookup.predictions import models
from storage.windows import datasets, references


def problems(config: Config, engine: Engine | None = None) -> list[str]:
    """One line for each thing that a monitor names and that does not exist, as far as `engine` or, without one, the
    configuration alone knows."""
    return [*mistakes(config, engine), *uninstalled(config), *unknown(config, engine)]


def mistakes(config: Config, engine: Engine | None = None) -> list[str]:
    """Detectors, options and data sets that do not exist or cannot be used: the configuration has to be mended."""
    added = references.stored(engine) if engine else []
    return [
        f"monitor {monitor.name}: {problem}"
        for monitor in config.watched
        for problem in (*_steps(monitor), *_reference(monitor, config, added))
    ]


def unknown(config: Config, engine: Engine | None = None) -> list[str]:
    """Models and fields that nobody knows; predictions may still bring them.

    Where no model, or no field of a model, is known, none is missed.
    """
    known = _known_fields(config, engine)
    return [
        f"monitor {monitor.name}: {problem}"
        for monitor in config.watched
        for fields in [known.get(model_key(monitor.model), set())]
        for problem in (*_model(monitor, known), *_outputs(monitor, fields), *_fields(monitor, config, fields))
    ]


def _known_fields(config: Config, engine: Engine | None) -> dict[ModelKey, set[str]]:
    known = {model_key(name, model.namespace): set(model.fields) for name, model in config.models.items()}
    for row in models(engine) if engine else []:
        known.setdefault(ModelKey(row["namespace"], row["model"]), set()).add(row["field"])
    return known


def _model(monitor: MonitorConfig, fields: dict[ModelKey, set[str]]) -> Iterator[str]:
    if fields and model_key(monitor.model) not in fields:
        names = [key.model if key.namespace == "default" else "/".join(key) for key in fields]
        yield f"no model '{monitor.model}' is known; {nearest(monitor.model, names)}"


def _steps(monitor: MonitorConfig) -> Iterator[str]:
    apart = monitor.window.every if isinstance(monitor.window, TimeWindows) else timedelta(hours=1)
    for name, allowed in allowances(monitor, apart).items():
        rate, known = _rate(monitor, name), isinstance(monitor.window, TimeWindows)
        if rate and (known or not rate.timed) and rate.each_look(apart) >= 1:
            yield f"step '{name}': {rate} is one false alarm in every window, or more: that is no limit"
        if not allowed.alpha:
            yield f"step '{name}': the other steps take all of the {monitor.false_alarms} false alarms"
    for step in monitor.steps:
        if step.false_alarms and step.use in SEQUENTIAL:
            yield f"step '{step.name}': {step.use} decides by its own options; leave out false_alarms"
        try:
            module(step)
        except ConfigError as error:
            yield str(error)


def _rate(monitor: MonitorConfig, step: str) -> Rate | None:
    """What was declared for it, or for all."""
    own = next(one.false_alarms for one in monitor.steps if one.name == step)
    return own or monitor.false_alarms


def _outputs(monitor: MonitorConfig, fields: set[str]) -> Iterator[str]:
    for step in monitor.steps:
        output = str(step.options.get("output", "")) if step.use in EXPLAINERS else ""
        if output and fields and output not in fields:
            yield f"step '{step.name}': the model has no output '{output}'; {nearest(output, fields)}"


def _reference(monitor: MonitorConfig, config: Config, added: list[str]) -> Iterator[str]:
    if not isinstance(monitor.reference, DatasetReference):
        return
    name = monitor.reference.dataset
    dataset = _dataset(name, config)
    if dataset is None:
        if name not in added:
            yield f"no data set and no file is named '{name}'; {nearest(name, [*config.datasets, *added])}"
        return
    try:
        datasets.read(dataset)
    except ConfigError as error:
        yield f"data set '{name}': {error}"


def _fields(monitor: MonitorConfig, config: Config, fields: set[str]) -> Iterator[str]:
    if not fields or not isinstance(monitor.reference, DatasetReference):
        return
    name = monitor.reference.dataset
    if dataset := _dataset(name, config):
        try:
            columns = datasets.read(dataset)
        except ConfigError:
            return  # one of the mistakes
        yield from _columns(name, {*columns.num.column_names, *columns.cat.column_names}, dataset, fields)


def _dataset(name: str, config: Config) -> DatasetConfig | None:
    """Declared, or a file; None for one that could only be in the store."""
    return config.datasets.get(name) or (DatasetConfig(path=name) if Path(name).is_file() else None)


def _columns(name: str, held: set[str], dataset: DatasetConfig, fields: set[str]) -> Iterator[str]:
    for column, field in dataset.fields.items():
        if field in held and field not in fields:
            missing = f"which the model lacks; {nearest(field, fields)}"
            yield f"data set '{name}' calls column '{column}' '{field}', {missing}"
    if not held & fields:
        yield f"data set '{name}' has no field of the model: it has {_some(held)}, the model {_some(fields)}"


def _some(names: set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:10]) + (", …" if len(listed) > 10 else "")
