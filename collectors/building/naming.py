"""What is known of a model's fields beyond its payloads: from the configuration, and from the model's V2 metadata."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from collectors.building.exchanges import Naming
from core.config import Config
from core.records import ModelKey


class _Learned(NamedTuple):
    """Column names by tensor, and the names of all inputs in their order."""

    columns: Mapping[str, tuple[str, ...]]
    inputs: tuple[str, ...]


_NOTHING = _Learned({}, ())


class Names:
    """The configuration's word counts; metadata fills in what it leaves open."""

    def __init__(self, config: Config) -> None:
        self._declared = lru_cache(maxsize=4096)(config.model)  # which looks through all models
        self._learned: dict[ModelKey, _Learned] = {}

    def __call__(self, model: ModelKey) -> Naming:
        declared = self._declared(model)
        learned = self._learned.get(model, _NOTHING)
        known = {**learned.columns, **declared.names}

        def columns(tensor: str, width: int) -> tuple[str, ...]:
            names = known.get(tensor, ())
            return names if len(names) == width else ()

        def inputs(tensor: str, width: int) -> tuple[str, ...]:
            """Metadata may list one input a feature while requests send one tensor with as many columns."""
            each = learned.inputs if width > 1 and tensor not in learned.inputs else ()
            return columns(tensor, width) or (each if len(each) == width else ())

        return Naming(inputs, columns, {name: field.kind for name, field in declared.fields.items()})

    def learn(self, model: ModelKey, metadata: Any) -> None:
        """Take over what V2 metadata (`GET /v2/models/<m>`) says; what it says wrongly is passed over."""
        said = metadata if isinstance(metadata, dict) else {}
        inputs, outputs = _tensors(said.get("inputs")), _tensors(said.get("outputs"))
        columns = {tensor["name"]: _column_names(tensor) for tensor in (*inputs, *outputs)}
        self._learned[model] = _Learned(columns, _distinct([tensor["name"] for tensor in inputs]))

    def knows(self, model: ModelKey) -> bool:
        return model in self._learned


def _tensors(value: Any) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else []
    return [tensor for tensor in found if isinstance(tensor, dict) and isinstance(tensor.get("name"), str)]


def _column_names(tensor: dict[str, Any]) -> tuple[str, ...]:
    parameters = tensor.get("parameters")
    names = parameters.get("names") if isinstance(parameters, dict) else None
    return _distinct(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()


def _distinct(names: list[str]) -> tuple[str, ...]:
    """Two columns cannot be one field: names of which two are the same are none."""
    return tuple(names) if len(set(names)) == len(names) else ()
