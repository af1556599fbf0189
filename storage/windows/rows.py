"""Rows one by one: numeric inputs as a matrix, and where row-count windows begin and end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.distribution import Floats
from core.findings import RowSpan
from core.records import ModelKey, Role
from storage.engine import Engine
from storage.windows.relations import Relation

# Rows sorted at once when row-count windows are looked for.
ROWS_AHEAD = 1_000_000

Pick = Literal["sample", "weighted", "newest"]
ORDER: dict[Pick, str] = {
    "sample": "cityHash64(id), id",
    # Efraimidis and Spirakis 2006, Inf. Process. Lett. 97, 181-185; for even weights the order of "sample".
    "weighted": "-log1p(0 - cityHash64(id) / exp2(64)) / weight, id",
    "newest": "received DESC, id DESC",
}


@dataclass(frozen=True)
class Matrix:
    """`values` has shape (rows, fields), NaN = missing; `ids` and `fields` name its rows and columns.

    `even`, shape (rows,), says which rows make a sample of even weights: the chance of a row is its weight over the
    largest, so that rows which sampling kept whole are no more among them than they are in the traffic.
    """

    ids: tuple[str, ...]
    versions: tuple[str, ...]
    fields: tuple[str, ...]
    values: Floats
    even: NDArray[np.bool_]


def numeric(engine: Engine, relation: Relation, role: Role = "input") -> set[str]:
    """Names of the inputs (outputs) that hold numbers in any of the rows."""
    sql = f"SELECT DISTINCT arrayJoin(mapKeys({role}s_num)) AS name FROM {relation.sql}"
    return {row["name"] for row in engine.rows(sql, relation.params)}


def categorical(engine: Engine, relation: Relation) -> set[str]:
    """Names of the outputs that hold texts in any of the rows."""
    sql = f"SELECT DISTINCT arrayJoin(mapKeys(outputs_cat)) AS name FROM {relation.sql}"
    return {row["name"] for row in engine.rows(sql, relation.params)}


@dataclass(frozen=True)
class Choice:
    """At most `limit` rows of one `version`, with these `ids`.

    A sample of the stored rows, or of the rows they stand for (weighted), the same each time; or the newest.
    """

    limit: int
    pick: Pick = "sample"
    version: str | None = None
    ids: Sequence[str] | None = None


def matrix(engine: Engine, relation: Relation, fields: Sequence[str], choice: Choice) -> Matrix:
    """The numeric inputs `fields` of the chosen rows."""
    where = [
        *(["version = {version:String}"] if choice.version is not None else []),
        *(["id IN {ids:Array(String)}"] if choice.ids is not None else []),
    ]
    table = engine.arrow(
        "SELECT id, version, weight, sipHash64(id) / exp2(64) AS draw,"
        " arrayMap(k -> toInt32(indexOf({fields:Array(String)}, k)) - 1, mapKeys(inputs_num)) AS at,"
        f" mapValues(inputs_num) AS value FROM {relation.sql} {'WHERE ' + ' AND '.join(where) if where else ''}"
        f" ORDER BY {ORDER[choice.pick]} LIMIT {choice.limit:d}",
        {**relation.params, "version": choice.version or "", "ids": list(choice.ids or ()), "fields": list(fields)},
    ).combine_chunks()
    values = np.full((table.num_rows, len(fields)), np.nan)
    for batch in table.to_batches():
        _fill(values, batch.column("at"), batch.column("value"))
    ids, versions = (tuple(table.column(name).to_pylist()) for name in ("id", "version"))
    return Matrix(ids, versions, tuple(fields), values, _even(table))


def some(matrix: Matrix, most: int) -> Matrix:
    """At most so many of its rows of even weight."""
    values = matrix.values[matrix.even][:most]
    return Matrix((), (), matrix.fields, values, np.ones(len(values), dtype=np.bool_))


def pooled(matrices: Sequence[Matrix]) -> Matrix:
    """The rows of several, one at least, with the same fields and all of even weight."""
    values = np.concatenate([matrix.values for matrix in matrices])
    return Matrix((), (), matrices[0].fields, values, np.ones(len(values), dtype=np.bool_))


def vectors(engine: Engine, relation: Relation, field: str, choice: Choice) -> Matrix:
    """The vectors of an input, or else of an output: one column for each number. Of another length than most: left out.

    Only predictions have vectors, not the rows of data sets.
    """
    vector = "if(mapContains(inputs_vec, {field:String}), inputs_vec, outputs_vec)[{field:String}]"
    where = "notEmpty(vector)" + (" AND version = {version:String}" if choice.version is not None else "")
    table = engine.arrow(
        f"SELECT id, version, weight, sipHash64(id) / exp2(64) AS draw, {vector} AS vector FROM {relation.sql}"
        f" WHERE {where} ORDER BY {ORDER[choice.pick]} LIMIT {choice.limit:d}",
        {**relation.params, "field": field, "version": choice.version or ""},
    )
    lengths = np.array([len(vector) for vector in table.column("vector").to_pylist()], dtype=np.int64)
    width = int(np.bincount(lengths).argmax()) if len(lengths) else 0
    table = table.filter(pa.array(lengths == width)).combine_chunks()
    chunks = [numpy_of(chunk.flatten()) for chunk in table.column("vector").chunks]
    values = np.concatenate(chunks).astype(np.float64).reshape(-1, width) if chunks else np.zeros((0, 0))
    ids, versions = (tuple(table.column(name).to_pylist()) for name in ("id", "version"))
    return Matrix(ids, versions, (field,) * width, values, _even(table))


def _even(table: pa.Table) -> NDArray[np.bool_]:
    weights, draws = (table.column(name).to_numpy() for name in ("weight", "draw"))
    even: NDArray[np.bool_] = draws * weights.max(initial=0.0) < weights
    return even


def _fill(values: Floats, at: pa.ListArray, value: pa.ListArray) -> None:
    columns = numpy_of(at.flatten())
    rows = np.repeat(np.arange(len(at)), np.diff(numpy_of(at.offsets)))
    asked = columns >= 0
    values[rows[asked], columns[asked]] = numpy_of(value.flatten())[asked]


def numpy_of(array: pa.Array) -> NDArray[Any]:
    return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Tumbling:
    """Windows of `rows` rows, beginning after the row `after` (received, id), of rows received by `until`.

    `only_ok` leaves out the rows whose inference failed.
    """

    rows: int
    after: tuple[datetime, str]
    until: datetime
    only_ok: bool = False


def row_spans(engine: Engine, model: ModelKey, tumbling: Tumbling) -> list[RowSpan]:
    """The complete windows that come next, oldest first, in the order of (received, id); a bounded number at once."""
    windows = max(1, ROWS_AHEAD // tumbling.rows)
    found = engine.rows(
        "SELECT min((received, id)) AS first, max((received, id)) AS last FROM ("
        " SELECT received, id, intDiv(row_number() OVER (ORDER BY received, id) - 1, {rows:UInt64}) AS window FROM ("
        "  SELECT received, id FROM predictions FINAL WHERE namespace = {namespace:String} AND model = {model:String}"
        "  AND received >= {after:DateTime64(6, 'UTC')} AND received <= {until:DateTime64(6, 'UTC')}"
        "  AND (received, id) > ({after:DateTime64(6, 'UTC')}, {after_id:String})"
        f"  AND (status < 400 OR NOT {tumbling.only_ok}) ORDER BY received, id LIMIT {windows * tumbling.rows:d}))"
        f" GROUP BY window HAVING count() = {{rows:UInt64}} ORDER BY window",
        {
            "namespace": model.namespace,
            "model": model.model,
            "rows": tumbling.rows,
            "after": tumbling.after[0],
            "after_id": tumbling.after[1],
            "until": tumbling.until,
        },
    )
    return [RowSpan((r["first"]["1"], r["first"]["2"]), (r["last"]["1"], r["last"]["2"])) for r in found]


class Received(NamedTuple):
    """`rows` rows in a stretch of `length`, which begins with the first of them."""

    rows: int
    length: timedelta


def received_since(engine: Engine, model: ModelKey, since: datetime, until: datetime) -> Received:
    """Rows of a model received from `since` up to `until`."""
    (row,) = engine.rows(
        "SELECT count() AS rows, min(received) AS first FROM predictions"
        " WHERE namespace = {namespace:String} AND model = {model:String}"
        " AND received BETWEEN {since:DateTime64(6, 'UTC')} AND {until:DateTime64(6, 'UTC')}",
        {"namespace": model.namespace, "model": model.model, "since": since, "until": until},
    )
    return Received(row["rows"], until - row["first"] if row["rows"] else timedelta(0))
