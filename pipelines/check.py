"""What is wrong with the monitors of a configuration, before any of them runs."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from core.config import Config, DatasetConfig, DatasetReference, MonitorConfig, TimeWindows, model_key
from core.errors import ConfigError
from core.options import nearest
from core.records import ModelKey
from detectors import DETECTORS, SEQUENTIAL
from explainers import EXPLAINERS
from pipelines.alarms.budget import allowances
from pipelines.libraries import uninstalled
from pipelines.steps.modules import module
from storage import retention
from storage.engine import Engine
from storage.lookup.predictions import models
from storage.windows import datasets, references

_DATASET = ("reference", "dataset")


class Problem(NamedTuple):
    """`keys`: where in a monitor."""

    keys: tuple[int | str, ...]
    said: str


def problems(config: Config, engine: Engine | None = None) -> list[str]:
    """One line for each thing that a monitor names and that does not exist, as far as `engine` or, without one, the
    configuration alone knows."""
    return [*mistakes(config, engine), *uninstalled(config), *unknown(config, engine)]


def mistakes(config: Config, engine: Engine | None = None) -> list[str]:
    """Tables, detectors, options and data sets that do not exist or cannot be used: the configuration has to be
    mended."""
    added = references.stored(engine) if engine else []
    return retention.mistakes(config) + [
        f"{config.written.place('monitors', number, *problem.keys)}: {problem.said}"
        for number, monitor in enumerate(config.watched)
        for problem in (*_steps(monitor), *_reference(monitor, config, added))
    ]


def unknown(config: Config, engine: Engine | None = None) -> list[str]:
    """Models and fields that nobody knows; predictions may still bring them.

    Where no model, or no field of a model, is known, none is missed.
    """
    known = _known_fields(config, engine)
    return [
        f"{config.written.place('monitors', number, *problem.keys)}: {problem.said}"
        for number, monitor in enumerate(config.watched)
        for fields in [known.get(model_key(monitor.model), set())]
        for problem in (*_model(monitor, known), *_outputs(monitor, fields), *_fields(monitor, config, fields))
    ]


def _known_fields(config: Config, engine: Engine | None) -> dict[ModelKey, set[str]]:
    known = {model_key(name, model.namespace): set(model.fields) for name, model in config.models.items()}
    for row in models(engine) if engine else []:
        known.setdefault(ModelKey(row["namespace"], row["model"]), set()).add(row["field"])
    return known


def _model(monitor: MonitorConfig, fields: dict[ModelKey, set[str]]) -> Iterator[Problem]:
    if fields and model_key(monitor.model) not in fields:
        names = [key.model if key.namespace == "default" else "/".join(key) for key in fields]
        yield Problem(("model",), f"no model '{monitor.model}' is known; {nearest(monitor.model, names)}")


def _steps(monitor: MonitorConfig) -> Iterator[Problem]:
    yield from _budgets(monitor)
    for number, step in enumerate(monitor.steps):
        if step.false_alarms and step.use in SEQUENTIAL:
            own = f"step '{step.name}': {step.use} decides by its own options; leave out false_alarms"
            yield Problem(("steps", number, "false_alarms"), own)
        try:
            module(step)
        except ConfigError as error:
            key = "options" if step.use in DETECTORS or step.use in EXPLAINERS else "use"  # known by its name
            yield Problem(("steps", number, key), str(error))


def _budgets(monitor: MonitorConfig) -> Iterator[Problem]:
    apart = monitor.window.every if isinstance(monitor.window, TimeWindows) else timedelta(hours=1)
    for name, allowed in allowances(monitor, apart).items():
        number, step = next((k, step) for k, step in enumerate(monitor.steps) if step.name == name)
        rate, known = step.false_alarms or monitor.false_alarms, isinstance(monitor.window, TimeWindows)
        keys = ("steps", number, "false_alarms") if step.false_alarms else ("false_alarms",)
        if rate and (known or not rate.timed) and rate.each_look(apart) >= 1:
            said = f"step '{name}': {rate} is one false alarm in every window, or more: that is no limit"
            yield Problem(keys, said)
        if not allowed.alpha:
            said = f"step '{name}': the other steps take all of the {monitor.false_alarms} false alarms"
            yield Problem(("false_alarms",), said)


def _outputs(monitor: MonitorConfig, fields: set[str]) -> Iterator[Problem]:
    for number, step in enumerate(monitor.steps):
        output = str(step.options.get("output", "")) if step.use in EXPLAINERS else ""
        if output and fields and output not in fields:
            said = f"step '{step.name}': the model has no output '{output}'; {nearest(output, fields)}"
            yield Problem(("steps", number, "options", "output"), said)


def _reference(monitor: MonitorConfig, config: Config, added: list[str]) -> Iterator[Problem]:
    if not isinstance(monitor.reference, DatasetReference):
        return
    name = monitor.reference.dataset
    dataset = _dataset(name, config)
    if dataset is None:
        if name not in added:
            said = f"no data set and no file is named '{name}'; {nearest(name, [*config.datasets, *added])}"
            yield Problem(_DATASET, said)
        return
    try:
        datasets.read(dataset)
    except ConfigError as error:
        yield Problem(_DATASET, f"data set '{name}': {error}")


def _fields(monitor: MonitorConfig, config: Config, fields: set[str]) -> Iterator[Problem]:
    if not fields or not isinstance(monitor.reference, DatasetReference):
        return
    name = monitor.reference.dataset
    if dataset := _dataset(name, config):
        try:
            columns = datasets.read(dataset)
        except ConfigError:
            return  # one of the mistakes
        held = {*columns.num.column_names, *columns.cat.column_names}
        yield from (Problem(_DATASET, said) for said in _columns(name, held, dataset, fields))


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
