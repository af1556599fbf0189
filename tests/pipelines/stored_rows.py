"""Predictions for tests, as the collectors store them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from core.records import PREDICTIONS
from storage.engine import Engine

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


SECOND = timedelta(seconds=1)


def store(
    engine: Engine,
    fields: Mapping[str, Sequence[Any]],
    start: datetime = NOON,
    step: timedelta = SECOND,
    **constant: Any,
) -> None:
    """One prediction each `step` from `start` of the model `m`, received when it happened. None = missing.

    Numbers go to inputs_num, texts to inputs_cat and lists to inputs_vec, those named `outputs.…` to the outputs;
    `constant` sets other columns for all rows.
    """
    rows = max(len(values) for values in fields.values())
    times = [start + step * n for n in range(rows)]
    columns: dict[str, list[Any]] = {
        "time": times,
        "received": times,
        "id": [f"{start:%H%M%S%f}-{n:06}-{constant.get('version', '')}" for n in range(rows)],
        "content": list(range(rows)),
        "namespace": ["default"] * rows,
        "model": ["m"] * rows,
        "status": [200] * rows,
        "weight": [1.0] * rows,
        **{name: _maps(fields, rows, *name.split("_")) for name in _MAPS},
        **{name: [value] * rows for name, value in constant.items()},
    }
    schema = pa.schema([PREDICTIONS.field(name) for name in columns])
    engine.insert("predictions", pa.table(columns, schema=schema))


_MAPS = tuple(f"{role}_{kind}" for role in ("inputs", "outputs") for kind in ("num", "cat", "vec"))


def _maps(fields: Mapping[str, Sequence[Any]], rows: int, role: str, kind: str) -> list[list[tuple[str, Any]]]:
    wanted = {
        name.removeprefix("outputs."): values
        for name, values in fields.items()
        if name.startswith("outputs.") == (role == "outputs")
    }
    return [[(n, v[at]) for n, v in wanted.items() if v[at] is not None and _kind(v[at]) == kind] for at in range(rows)]


def _kind(value: Any) -> str:
    return "vec" if isinstance(value, list) else "cat" if isinstance(value, str) else "num"
