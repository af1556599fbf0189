"""Stored rows that hold fields, as SQL: the predictions of a window, or a reference data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from core.distribution import Kind
from core.findings import Window
from core.records import ModelKey, Role


class FieldMap(NamedTuple):
    """One Map column of the table: field name to value."""

    column: str
    kind: Kind
    role: Role


PREDICTION_MAPS = (
    FieldMap("inputs_num", "num", "input"),
    FieldMap("inputs_cat", "cat", "input"),
    FieldMap("outputs_num", "num", "output"),
    FieldMap("outputs_cat", "cat", "output"),
)
REFERENCE_MAPS = (FieldMap("inputs_num", "num", "input"), FieldMap("inputs_cat", "cat", "input"))


class Stretch(NamedTuple):
    """Which predictions a relation is: all of a model's in a time window, their versions apart or as one."""

    model: ModelKey
    window: Window
    apart: bool = True


@dataclass(frozen=True)
class Relation:
    """`sql` stands after FROM and has the columns id, received, version, weight, ok, tags and those of `maps`; that of
    predictions also time, content, inputs_vec and outputs_vec.

    Beside each map is how many values it holds, `<map>_cells`: its own subcolumn, so that the map need not be read.
    `ok`: the inference succeeded; only then can an output be missing. `stretch` is None for other rows than those of a
    time window.
    """

    sql: str
    params: Mapping[str, Any]
    maps: tuple[FieldMap, ...]
    stretch: Stretch | None = None


def of_window(model: ModelKey, window: Window) -> Relation:
    """The predictions in `window`."""
    if span := window.rows:
        inside = (
            "received BETWEEN {first:DateTime64(6, 'UTC')} AND {last:DateTime64(6, 'UTC')}"
            " AND (received, id) >= ({first:DateTime64(6, 'UTC')}, {first_id:String})"
            " AND (received, id) <= ({last:DateTime64(6, 'UTC')}, {last_id:String})"
        )
        bounds = {"first": span.first[0], "first_id": span.first[1], "last": span.last[0], "last_id": span.last[1]}
    else:
        inside = "time >= {start:DateTime64(6, 'UTC')} AND time < {end:DateTime64(6, 'UTC')}"
        bounds = {"start": window.start, "end": window.end}
    return replace(_predictions(model, inside, bounds), stretch=None if window.rows else Stretch(model, window))


def of_windows(model: ModelKey, windows: Sequence[Window]) -> Relation:
    """The predictions in any of several time windows."""
    between = "time >= {{start{n}:DateTime64(6, 'UTC')}} AND time < {{end{n}:DateTime64(6, 'UTC')}}"
    inside = " OR ".join(between.format(n=n) for n in range(len(windows)))
    bounds = {f"{side}{n}": getattr(w, side) for n, w in enumerate(windows) for side in ("start", "end")}
    return _predictions(model, f"({inside})", bounds)


def _predictions(model: ModelKey, inside: str, bounds: Mapping[str, Any]) -> Relation:
    maps = ", ".join(f"{m.column}, {m.column}.size0 AS {m.column}_cells" for m in PREDICTION_MAPS)
    maps += ", inputs_vec, outputs_vec"
    sql = (
        f"(SELECT id, content, time, received, version, weight, status < 400 AS ok, tags, {maps}"
        f" FROM predictions FINAL WHERE namespace = {{namespace:String}} AND model = {{model:String}} AND {inside})"
    )
    return Relation(sql, {"namespace": model.namespace, "model": model.model, **bounds}, PREDICTION_MAPS)


def of_reference(name: str, hash: str) -> Relation:
    """One version of a named reference; all its fields count as inputs."""
    sql = (
        "(SELECT toString(row) AS id, toDateTime64(0, 6, 'UTC') AS received, '' AS version, weight, true AS ok, tags,"
        " num AS inputs_num, num.size0 AS inputs_num_cells, cat AS inputs_cat, cat.size0 AS inputs_cat_cells"
        " FROM references FINAL WHERE name = {name:String} AND hash = {hash:String})"
    )
    return Relation(sql, {"name": name, "hash": hash}, REFERENCE_MAPS)


def as_reference(relation: Relation) -> Relation:
    """The same rows, all versions as one."""
    stretch = relation.stretch and relation.stretch._replace(apart=False)
    return replace(relation, sql=f"(SELECT * REPLACE ('' AS version) FROM {relation.sql})", stretch=stretch)
