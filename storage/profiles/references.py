"""Reference data sets as distributions: read from their rows once for each content, then kept in the store."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from core.distribution import Distribution
from storage.engine import Engine
from storage.profiles.reference_states import make
from storage.windows.cache import DirectReader
from storage.windows.distributions import Field, Part, Totals
from storage.windows.relations import REFERENCE_MAPS, Relation

_MINE = "FROM reference_profiles FINAL WHERE name = {name:String} AND hash = {hash:String} AND key = {key:String}"


class ReferenceReader:
    """`storage.windows.cache.Reader` of references; other relations are read from their rows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows = DirectReader(engine)

    def totals(self, relation: Relation, segment: str) -> list[Totals]:
        if relation.maps != REFERENCE_MAPS:
            return self._rows.totals(relation, segment)
        if not (rows := self._totals(relation, segment)):
            make(self._engine, relation, _params(relation, segment))
            rows = self._totals(relation, segment)
        cells = self._cells(relation, segment)
        found = [_total(row, cells) for row in rows if row["rows"]]
        return sorted(found, key=lambda part: (-part.rows, part.segment))

    def parts(
        self, relation: Relation, totals: Sequence[Totals], segment: str, only: Sequence[str] | None
    ) -> list[Part]:
        if relation.maps != REFERENCE_MAPS:
            return self._rows.parts(relation, totals, segment, only)
        chosen = " AND field IN {only:Array(String)}" if only is not None else ""
        rows = self._engine.arrow(
            "SELECT segment, kind, field, missing, effective_rows, values, categories, counts, squares, error"
            f" {_MINE} AND field != ''{chosen} ORDER BY segment, kind, field",
            {**_params(relation, segment), "only": list(only or ())},
        )
        fields: dict[str, dict[Field, Distribution]] = {}
        for name, field, found in _distributions(rows):
            fields.setdefault(name, {})[field] = found
        return [Part(p.version, p.segment, p.rows, fields.get(p.segment, {})) for p in totals]

    def listing(self, relation: Relation, segment: str) -> dict[tuple[str, str], set[Field]]:
        if relation.maps != REFERENCE_MAPS:
            return self._rows.listing(relation, segment)
        rows = self._engine.rows(f"SELECT segment, kind, field {_MINE} AND field != ''", _params(relation, segment))
        found: dict[tuple[str, str], set[Field]] = {}
        for row in rows:
            found.setdefault(("", row["segment"]), set()).add(Field(row["field"], row["kind"]))
        return found

    def _totals(self, relation: Relation, segment: str) -> list[dict[str, Any]]:
        sql = f"SELECT segment, rows, weighted, weight, weight_squares {_MINE} AND field = ''"
        return self._engine.rows(sql, _params(relation, segment))

    def _cells(self, relation: Relation, segment: str) -> dict[tuple[str, str], int]:
        held = "sum(length(values) + length(categories)) AS held"
        sql = f"SELECT segment, kind, {held} {_MINE} AND field != '' GROUP BY segment, kind"
        rows = self._engine.rows(sql, _params(relation, segment))
        return {(row["segment"], row["kind"]): row["held"] for row in rows}


def _params(relation: Relation, segment: str) -> dict[str, Any]:
    return {"name": relation.params["name"], "hash": relation.params["hash"], "key": segment}


def _total(row: Mapping[str, Any], held: Mapping[tuple[str, str], int]) -> Totals:
    weights = row["weight"], row["weight_squares"]
    cells = tuple(held.get((row["segment"], source.kind), 0) for source in REFERENCE_MAPS)
    return Totals("", row["segment"], row["rows"], cells, bool(row["weighted"]), weights, weights)


def _distributions(table: pa.Table) -> Iterator[tuple[str, Field, Distribution]]:
    for batch in table.to_batches():
        columns = {name: batch.column(name) for name in batch.schema.names}
        for at in range(batch.num_rows):
            plain = {
                n: columns[n][at].as_py() for n in ("segment", "kind", "field", "missing", "effective_rows", "error")
            }
            arrays = {n: columns[n][at].values.to_numpy() for n in ("values", "counts", "squares")}
            cat = plain["kind"] == "cat"
            values = np.array(columns["categories"][at].as_py(), dtype=object) if cat else arrays["values"]
            squares = arrays["squares"] if len(arrays["squares"]) else None
            sizes = plain["missing"], plain["effective_rows"], squares, plain["error"]
            yield plain["segment"], Field(plain["field"], plain["kind"]), Distribution(values, arrays["counts"], *sizes)
