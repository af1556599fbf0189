"""What is wrong with the monitors of a configuration, before any of them runs."""

from collections.abc import Iterator
from pathlib import Path

from core.config import Config, DatasetConfig, DatasetReference, MonitorConfig, StepConfig, model_key
from core.errors import ConfigError
from core.options import nearest
from core.records import ModelKey
from explainers import EXPLAINERS
from pipelines.steps import module
from storage import datasets, references
from storage.engine import Engine
from storage.lookup import models


def problems(config: Config, engine: Engine | None = None) -> list[str]:
    """One line for each detector, option, data set, model or field that a monitor names and that does not exist.

    Without `engine` only what the configuration declares is known. Where no model, or no field of a model, is known,
    none is missed.
    """
    fields = _known_fields(config, engine)
    added = references.stored(engine) if engine else []
    return [
        f"monitor {monitor.name}: {problem}"
        for monitor in config.monitors
        for problem in (
            *_model(monitor, fields),
            *(p for step in monitor.steps for p in _step(step, fields.get(model_key(monitor.model), set()))),
            *_reference(monitor, config, added, fields.get(model_key(monitor.model), set())),
        )
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


def _step(step: StepConfig, fields: set[str]) -> Iterator[str]:
    try:
        module(step)
    except ConfigError as error:
        yield str(error)
    output = step.options.get("output", "") if step.use in EXPLAINERS else ""
    if output and fields and output not in fields:
        yield f"step '{step.name}': the model has no output '{output}'; {nearest(str(output), fields)}"


def _reference(monitor: MonitorConfig, config: Config, added: list[str], fields: set[str]) -> Iterator[str]:
    if not isinstance(monitor.reference, DatasetReference):
        return
    name = monitor.reference.dataset
    declared = config.datasets.get(name)
    if declared is None and not Path(name).is_file():
        if name not in added:
            yield f"no data set and no file is named '{name}'; {nearest(name, [*config.datasets, *added])}"
        return
    try:
        columns = datasets.read(declared or DatasetConfig(path=name))
    except ConfigError as error:
        yield f"data set '{name}': {error}"
        return
    yield from _columns(name, {*columns.num.column_names, *columns.cat.column_names}, declared, fields)


def _columns(name: str, held: set[str], declared: DatasetConfig | None, fields: set[str]) -> Iterator[str]:
    for column, field in (declared.fields if declared else {}).items():
        if fields and field in held and field not in fields:
            missing = f"which the model lacks; {nearest(field, fields)}"
            yield f"data set '{name}' calls column '{column}' '{field}', {missing}"
    if fields and not held & fields:
        yield f"data set '{name}' has no field of the model: it has {_some(held)}, the model {_some(fields)}"


def _some(names: set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:10]) + (", …" if len(listed) > 10 else "")
