"""Requests and responses as the taps hand them on, built from arrays."""

from typing import Any

import numpy as np
import pyarrow as pa

from collectors.building.exchanges import Exchange, Group, Naming, to_rows
from core.records import Half, HalfKind, ModelKey, Payload, RequestKey, Tensor

NOW = 1_800_000_000_000_000  # microseconds: 2027-01-15T08:00:00Z
UNNAMED = Naming(lambda tensor, width: (), lambda tensor, width: (), {})


def tensor(name: str, values: Any) -> Tensor:
    array = np.asarray(values)
    texts = array.dtype.kind in "UO"
    return Tensor(name, array.astype(object if texts else np.float64), "BYTES" if texts else "FP64")


def half(id: str = "r", kind: HalfKind = "request", **tensors: Any) -> Half:
    found = tuple(tensor(name, values) for name, values in tensors.items())
    body = repr(sorted(tensors.items())).encode()
    return Half(RequestKey("default", "m", id), kind, Payload(found, id), NOW, NOW, "events", body=body)


def exchange(inputs: dict[str, Any], outputs: dict[str, Any] | None = None, id: str = "r") -> Exchange:
    return Exchange(half(id, **inputs), half(id, "response", **(outputs or {})))


def groups(*exchanges: Exchange, naming: Naming = UNNAMED) -> list[Group]:
    def known(model: ModelKey) -> Naming:
        return naming

    return to_rows(exchanges, known)


def rows(*exchanges: Exchange, naming: Naming = UNNAMED) -> list[dict[str, Any]]:
    """The predictions, maps as dicts."""
    return [row for group in groups(*exchanges, naming=naming) for row in as_rows(group.batch)]


def as_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = batch.to_pylist(maps_as_pydicts="strict")
    return found
