"""Rows one by one with all their inputs, numbers and categories, for libraries that take whole tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storage.engine import Engine
from storage.windows.distributions import Field
from storage.windows.relations import Relation
from storage.windows.rows import ORDER, Choice, numpy_of


@dataclass(frozen=True)
class Rows:
    """A sample of even weights in the order the rows were received; `ids`, and each field's values of shape (rows,).

    Numbers are float64 with NaN = missing, categories are str objects with None = missing.
    """

    ids: tuple[str, ...]
    columns: Mapping[str, NDArray[Any]]


def input_fields(engine: Engine, relation: Relation) -> set[Field]:
    """The inputs that hold a value in any of the rows; one that holds both kinds is there twice."""
    found = engine.rows(
        "SELECT DISTINCT arrayJoin(arrayConcat(arrayMap(k -> (toString(k), 'num'), mapKeys(inputs_num)),"
        f" arrayMap(k -> (toString(k), 'cat'), mapKeys(inputs_cat)))) AS field FROM {relation.sql}",
        relation.params,
    )
    return {Field(*_pair(row["field"])) for row in found}


def _pair(field: Any) -> tuple[str, Any]:
    return tuple(field.values()) if isinstance(field, Mapping) else tuple(field)


def table(engine: Engine, relation: Relation, fields: Sequence[Field], choice: Choice) -> Rows:
    """The inputs `fields` of the chosen rows, without those that sampling kept beyond their share."""
    names = {kind: [field.name for field in fields if field.kind == kind] for kind in ("num", "cat")}
    where = "WHERE version = {version:String}" if choice.version is not None else ""
    found = engine.arrow(
        f"SELECT id, weight, draw, {_maps()} FROM (SELECT *, sipHash64(id) / exp2(64) AS draw"
        f" FROM {relation.sql} {where} ORDER BY {ORDER[choice.pick]} LIMIT {choice.limit:d}) ORDER BY received, id",
        {**relation.params, "version": choice.version or "", **names},
    ).combine_chunks()
    weights, draws = (found.column(name).to_numpy() for name in ("weight", "draw"))
    even = np.flatnonzero(draws * weights.max(initial=0.0) < weights)
    columns = {name: column[even] for kind in names for name, column in _columns(found, kind, names[kind]).items()}
    ids = found.column("id").to_pylist()
    return Rows(tuple(ids[at] for at in even), columns)


def _maps() -> str:
    return ", ".join(
        f"arrayMap(k -> toInt32(indexOf({{{kind}:Array(String)}}, k)) - 1, mapKeys(inputs_{kind})) AS {kind}_at,"
        f" mapValues(inputs_{kind}) AS {kind}_value"
        for kind in ("num", "cat")
    )


def _columns(found: pa.Table, kind: str, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """By name, shape (rows,)."""
    missing: Any = np.nan if kind == "num" else None
    cells = np.full((len(names), found.num_rows), missing, dtype=np.float64 if kind == "num" else object)
    start = 0
    for batch in found.to_batches():
        at, value = batch.column(f"{kind}_at"), batch.column(f"{kind}_value")
        fields = numpy_of(at.flatten())
        rows = start + np.repeat(np.arange(len(at)), np.diff(numpy_of(at.offsets)))
        asked = fields >= 0
        cells[fields[asked], rows[asked]] = numpy_of(value.flatten())[asked]
        start += batch.num_rows
    return dict(zip(names, cells, strict=True))
