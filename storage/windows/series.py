"""Rows in the order they came in: what sequential detectors are fed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.distribution import Floats
from core.records import ModelKey, Role
from storage.engine import Engine
from storage.windows.relations import Relation

_DRAW = "sipHash64(id) / exp2(64) AS draw"


class Series(NamedTuple):
    """`values`, shape (rows, fields), NaN = missing; `times` of the rows, in order. Of even weight, see `Matrix`."""

    values: Floats
    times: NDArray[np.datetime64]


class Slice(NamedTuple):
    """Rows of a relation from `since` on (None: all), in the order of `order`: `time` or `received`, then by id."""

    relation: Relation
    order: str
    since: datetime | None = None


class Column(NamedTuple):
    """A numeric field; an output that is named like an input is `outputs.<name>`."""

    role: Role
    field: str


def series(engine: Engine, rows: Slice, columns: Sequence[Column]) -> dict[str, Series]:
    """The values of these fields, by version; at least one."""
    since = f"WHERE {rows.order} >= {{since:DateTime64(6, 'UTC')}}" if rows.since else ""
    names: dict[Role, list[str]] = {
        "input": [c.field for c in columns if c.role == "input"],
        "output": [c.field.removeprefix("outputs.") for c in columns if c.role == "output"],
    }
    picked = ", ".join(f"{_picked(role)} AS {role}s" for role in names)
    table = engine.arrow(
        f"SELECT version, {rows.order} AS at, weight, {_DRAW}, {picked} FROM {rows.relation.sql} {since}"
        f" ORDER BY {rows.order}, id, content",
        {
            **rows.relation.params,
            "since": rows.since,
            "input": names["input"],
            "output": names["output"],
        },
    ).combine_chunks()
    read = {role: _matrix(table.column(f"{role}s"), len(names[role])) for role in names}
    at = {role: iter(range(len(names[role]))) for role in names}
    values = np.column_stack([read[column.role][:, next(at[column.role])] for column in columns])
    return {v: Series(values[kept], times) for v, kept, times in _by_version(table)}


class Labelled(NamedTuple):
    """Which predictions of `model` to look at: those that got their first label called `label`, or came after it,
    from `since` up to `until`. `cutoff`: numeric outputs at or above it say 1, the others 0."""

    model: ModelKey
    output: str
    label: str
    cutoff: float | None
    since: datetime
    until: datetime


def errors(engine: Engine, asked: Labelled) -> dict[str, Series]:
    """By version: 1 where the newest revision of a label before `until` differs from the output, else 0.

    In the order in which prediction and label had both come, which is their time. Where one is a number and the other
    a text, they are compared as texts.
    """
    table = engine.arrow(
        # In one small place: what a label is stands in storage/schema/0007_labels.sql.
        f"SELECT version, greatest(arrived, first) AS at, weight, {_DRAW}, isNull(number) OR isNull(truth) AS texts,"
        " if(texts, toFloat64(text != value), toFloat64(number != truth)) AS same_kind,"
        " toFloat64((number >= {cutoff:Float64}) != (truth >= 0.5)) AS cut"
        " FROM (SELECT id, version, weight, received AS arrived, mapContains(outputs_num, {output:String}) AS is_num,"
        "  if(is_num, outputs_num[{output:String}], NULL) AS number,"
        "  if(is_num, toString(outputs_num[{output:String}]), outputs_cat[{output:String}]) AS text"
        "  FROM predictions FINAL WHERE namespace = {namespace:String} AND model = {model:String} AND status < 400"
        "  AND received < {until:DateTime64(6, 'UTC')} AND (is_num OR mapContains(outputs_cat, {output:String}))"
        f"  AND id IN ({_CANDIDATES})) AS prediction"
        " INNER JOIN (SELECT id, first, tupleElement(revision, 1) AS value, tupleElement(revision, 2) AS truth FROM ("
        "  SELECT id, min(received) AS first, argMax((value, num), (time, received)) AS revision FROM labels FINAL"
        f"  WHERE {_OF_LABEL} AND received < {{until:DateTime64(6, 'UTC')}} AND id IN ({_CANDIDATES}) GROUP BY id)"
        " ) AS label USING id WHERE at >= {since:DateTime64(6, 'UTC')} AND at < {until:DateTime64(6, 'UTC')}"
        " ORDER BY at, id",
        {
            **asked._asdict(),
            "namespace": asked.model.namespace,
            "model": asked.model.model,
            "cutoff": asked.cutoff or 0,
        },
    ).combine_chunks()
    wrong = _numpy(table.column("same_kind" if asked.cutoff is None else "cut")).astype(np.float64)
    return {v: Series(wrong[kept][:, None], times) for v, kept, times in _by_version(table)}


_OF_LABEL = "namespace = {namespace:String} AND model IN ({model:String}, '') AND name = {label:String}"
_WITHIN = "received >= {since:DateTime64(6, 'UTC')} AND received < {until:DateTime64(6, 'UTC')}"
_CANDIDATES = (
    f"SELECT id FROM labels WHERE {_OF_LABEL} AND {_WITHIN} UNION ALL SELECT id FROM predictions"
    f" WHERE namespace = {{namespace:String}} AND model = {{model:String}} AND {_WITHIN}"
)


def _picked(role: Role) -> str:
    maps = f"{role}s_num"
    return f"arrayMap(f -> if(mapContains({maps}, f), {maps}[f], nan), {{{role}:Array(String)}})"


def _by_version(table: pa.Table) -> list[tuple[str, NDArray[np.intp], NDArray[np.datetime64]]]:
    """Versions with the indices and the times of their rows that make a sample of even weights."""
    versions = np.array(table.column("version").to_pylist(), dtype=object)
    weights, draws, times = (_numpy(table.column(name)) for name in ("weight", "draw", "at"))
    found = []
    for version in sorted(set(versions)):
        of = np.flatnonzero(versions == version)
        kept = of[draws[of] * weights[of].max() < weights[of]]
        found.append((version, kept, times[kept]))
    return found


def _matrix(column: pa.ChunkedArray, width: int) -> Floats:
    chunks = [_numpy(chunk.flatten()) for chunk in column.chunks]
    values: Floats = np.concatenate([np.zeros(0), *chunks]).reshape(len(column), width)
    return values


def _numpy(array: Any) -> NDArray[Any]:
    # Of a table's column, which has chunks, to_numpy takes no zero_copy_only.
    return array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy()  # type: ignore[no-any-return]
