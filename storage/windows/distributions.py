"""Windows as distributions: counted where the rows are, one GROUP BY for all fields of a map."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.distribution import Distribution, Floats, Kind
from storage.engine import Engine
from storage.windows.relations import FieldMap, Relation

# Values of one query held in memory at once: 160 MB of float64.
CELLS = 20_000_000
# Senders choose versions and tags: only the largest are looked at one by one.
MOST_PARTS = 20


class Field(NamedTuple):
    """A field under one kind; rows that hold it under the other kind count as missing here."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Part:
    """The rows of one version and one segment (`country=DE`, '' = all); `rows` is their number, unweighted."""

    version: str
    segment: str
    rows: int
    fields: Mapping[Field, Distribution]


@dataclass(frozen=True)
class Totals:
    """One version and segment before its fields are read.

    `cells`: values in each of the relation's maps. Weights are (sum w, sum w²) of all and of the ok rows.
    """

    version: str
    segment: str
    rows: int
    cells: tuple[int, ...]
    weighted: bool
    weights: tuple[float, float]
    ok_weights: tuple[float, float]

    def without(self, kind: Kind) -> Distribution | None:
        """A field that no row has: missing in each ok one, since others have no outputs; None when there is no such."""
        total, all_squares = self.ok_weights
        values = np.empty(0, dtype=object if kind == "cat" else np.float64)
        squares = np.empty(0) if self.weighted else None
        return Distribution(values, np.empty(0), total, total * total / all_squares, squares) if total else None


def totals(engine: Engine, relation: Relation, segment: str = "") -> list[Totals]:
    """Rows and weights by version and, when `segment` names a tag, by its values; the largest 20 of them."""
    cells = ", ".join(f"sum({m.column}_cells)" for m in relation.maps)
    found = engine.rows(
        f"SELECT version, {_segment(segment)} AS segment, count() AS rows, [{cells}] AS cells,"
        " countIf(weight != 1) > 0 AS weighted, sum(weight) AS w, sum(weight * weight) AS w2,"
        " sumIf(weight, ok) AS ok_w, sumIf(weight * weight, ok) AS ok_w2"
        f" FROM {relation.sql} {_has_segment(segment)}"
        f" GROUP BY version, segment ORDER BY rows DESC, version, segment LIMIT {MOST_PARTS}",
        {**relation.params, "key": segment},
    )
    return [
        Totals(
            row["version"],
            row["segment"],
            row["rows"],
            tuple(row["cells"]),
            bool(row["weighted"]),
            (row["w"], row["w2"]),
            (row["ok_w"], row["ok_w2"]),
        )
        for row in found
    ]


def listing(engine: Engine, relation: Relation, segment: str = "") -> dict[tuple[str, str], set[Field]]:
    """The fields that have any value, by version and segment, without reading the values."""
    found: dict[tuple[str, str], set[Field]] = {}
    inputs: set[str] = set()
    for source in relation.maps:
        rows = engine.rows(
            f"SELECT DISTINCT version, {_segment(segment)} AS segment, arrayJoin(mapKeys({source.column})) AS field"
            f" FROM {relation.sql} {_has_segment(segment)}",
            {**relation.params, "key": segment},
        )
        for row in rows:
            field = field_of(source, row["field"], inputs)
            found.setdefault((row["version"], row["segment"]), set()).add(field)
    return found


def read(
    engine: Engine, relation: Relation, parts: Sequence[Totals], segment: str = "", only: Sequence[str] | None = None
) -> list[Part]:
    """The distributions of every field (of those named in `only`) of `parts`, which `totals` gave for `segment`.

    An output that is named like an input is the field `outputs.<name>`.
    """
    by_part: dict[tuple[str, str], dict[Field, Distribution]] = {(p.version, p.segment): {} for p in parts}
    inputs: set[str] = set()
    for at, source in enumerate(relation.maps):
        if not any(p.cells[at] for p in parts):
            continue
        for found in _counted(engine, relation, source, _Wanted(parts, segment, only)):
            field = field_of(source, found.name, inputs)
            by_part[found.part.version, found.part.segment][field] = _distribution(source, found)
    return [Part(p.version, p.segment, p.rows, by_part[p.version, p.segment]) for p in parts]


def field_of(source: FieldMap, name: str, inputs: set[str]) -> Field:
    """Inputs come first and are remembered in `inputs`."""
    if source.role == "input":
        inputs.add(name)
        return Field(name, source.kind)
    return Field(f"outputs.{name}" if name in inputs else name, source.kind)


class _Wanted(NamedTuple):
    parts: Sequence[Totals]
    segment: str
    only: Sequence[str] | None


class _Counted(NamedTuple):
    """A field of a part. `counts` of None: `values` are sorted and hold every row's."""

    part: Totals
    name: str
    values: NDArray[Any]
    counts: Floats | None = None
    squares: Floats | None = None


def _counted(engine: Engine, relation: Relation, source: FieldMap, wanted: _Wanted) -> Iterator[_Counted]:
    by_key = {(p.version, p.segment): p for p in wanted.parts}
    listed = source.kind == "num" and not any(p.weighted for p in wanted.parts)
    table = engine.arrow(*_statement(relation, source, wanted, listed))
    for batch in table.to_batches():
        version, segment, field, *columns = (batch.column(name) for name in batch.schema.names)
        for at in range(batch.num_rows):
            if part := by_key.get((version[at].as_py(), segment[at].as_py())):
                yield _Counted(part, field[at].as_py(), *(_array(column, at) for column in columns))


def _statement(relation: Relation, source: FieldMap, wanted: _Wanted, listed: bool) -> tuple[str, dict[str, Any]]:
    versions = sorted({p.version for p in wanted.parts})
    where = ["version IN {versions:Array(String)}"]
    where += [f"{_segment(wanted.segment)} IN {{segments:Array(String)}}"] if wanted.segment else []
    where += ["ok"] if source.role == "output" else []
    # A constant is no key to group by: with one version, the usual case, a quarter of the time is saved.
    rows = (
        f"(SELECT {'{versions:Array(String)}[1]' if len(versions) == 1 else 'version'} AS of_version,"
        f" {_segment(wanted.segment)} AS of_segment, weight, {source.column}"
        f" FROM {relation.sql} WHERE {' AND '.join(where)})"
        f" ARRAY JOIN mapKeys({source.column}) AS field, mapValues({source.column}) AS value"
        f" {'WHERE field IN {only:Array(String)}' if wanted.only is not None else ''}"
    )
    if listed:
        sql = f"SELECT of_version, of_segment, field, arraySort(groupArray(value)) AS value FROM {rows}"
    else:
        sums = "sum(weight) AS count, sum(weight * weight) AS square"
        lists = ", ".join(f"groupArray({name}) AS {name}" for name in ("value", "count", "square"))
        counted = f"SELECT of_version, of_segment, field, value, {sums} FROM {rows} GROUP BY ALL"
        sql = f"SELECT of_version, of_segment, field, {lists} FROM ({counted})"
    params = {
        "key": wanted.segment,
        "only": list(wanted.only or ()),
        "versions": versions,
        "segments": sorted({p.segment for p in wanted.parts}),
    }
    return f"{sql} GROUP BY of_version, of_segment, field", {**relation.params, **params}


def _distribution(source: FieldMap, found: _Counted) -> Distribution:
    part, _, values, counts, squares = found
    total, all_squares = part.ok_weights if source.role == "output" else part.weights
    known = float(len(values)) if counts is None else float(counts.sum())
    missing = total - known if total - known > 1e-9 * total else 0.0
    if counts is None or squares is None:
        return Distribution.of_sorted(values, missing)
    effective_rows = total * total / all_squares if all_squares else 0.0
    order = np.argsort(values)
    squares = squares[order] if part.weighted else None
    return Distribution(values[order], counts[order], missing, effective_rows, squares)


def _array(lists: pa.ListArray, at: int) -> NDArray[Any]:
    return lists[at].values.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _segment(key: str) -> str:
    return "concat({key:String}, '=', tags[{key:String}])" if key else "''"


def _has_segment(key: str) -> str:
    return "WHERE mapContains(tags, {key:String})" if key else ""
