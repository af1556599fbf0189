"""A reference's rows as the distributions that are kept of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from core.distribution import Distribution
from storage.engine import Engine
from storage.profiles.merge import OTHERS, Counted, most_frequent, thinned
from storage.windows.cache import DirectReader
from storage.windows.distributions import CELLS, Field, Totals
from storage.windows.relations import Relation

# A reference is read once and compared with many times: its curves are off by at most 0.5 / 4096.
VALUES = 4096
CATEGORY_BYTES = 1 << 20

_FLOATS = pa.list_(pa.float64())
_TYPES = {"values": _FLOATS, "counts": _FLOATS, "squares": _FLOATS, "categories": pa.list_(pa.string())}


def make(engine: Engine, relation: Relation, same: Mapping[str, str]) -> None:
    """Insert what is `same` in all lines (name, hash and key) with every field of every segment.

    The rows' totals come last: once they are there, nothing is read from rows again.
    """
    rows, segment = DirectReader(engine), same["key"]
    totals = rows.totals(relation, segment)
    for only in _chunks(rows, relation, segment, totals):
        for part in rows.parts(relation, totals, segment, only):
            kept = [{**same, "segment": part.segment, **_kept(f, d)} for f, d in part.fields.items()]
            _insert(engine, kept)
    # One more line, of no rows, says of a tag that no row has that it was looked for.
    lines = [
        {
            "segment": total.segment,
            "rows": total.rows,
            "weighted": int(total.weighted),
            "weight": total.weights[0],
            "weight_squares": total.weights[1],
        }
        for total in totals
    ]
    nothing = {"segment": "", "rows": 0, "weighted": 0, "weight": 0.0, "weight_squares": 0.0}
    _insert(engine, [{**same, **line} for line in lines or [nothing]])


def _chunks(
    rows: DirectReader, relation: Relation, segment: str, totals: Sequence[Totals]
) -> list[list[str]] | list[None]:
    """Names of fields whose rows fit into memory together; [None] for all."""
    cells = sum(sum(part.cells) for part in totals)
    if cells <= CELLS:
        return [None]
    names = sorted({field.name for fields in rows.listing(relation, segment).values() for field in fields})
    size = max(1, len(names) * CELLS // cells)
    return [names[start : start + size] for start in range(0, len(names), size)]


class _Kept(NamedTuple):
    counted: Counted
    error: float


def _kept(field: Field, rows: Distribution) -> dict[str, Any]:
    found = _categories(rows) if field.kind == "cat" else _numbers(rows)
    values, counts, squares = found.counted
    return {
        "field": field.name,
        "kind": field.kind,
        "missing": rows.missing,
        "effective_rows": rows.effective_rows,
        "values": () if field.kind == "cat" else values,
        "categories": list(values) if field.kind == "cat" else (),
        "counts": counts,
        "squares": () if squares is None else squares,
        "error": found.error,
    }


def _numbers(rows: Distribution) -> _Kept:
    kept = thinned(Counted(rows.values, rows.counts, rows.squares), VALUES)
    return _Kept(kept, 0.0 if kept.values is rows.values else 0.5 / VALUES)


def _categories(rows: Distribution) -> _Kept:
    """Those beyond the most frequent are one."""
    counts = dict(zip(rows.values.tolist(), rows.counts.tolist(), strict=True))
    kept = set(most_frequent(counts, VALUES, CATEGORY_BYTES))
    if len(kept) == len(counts):
        return _Kept(Counted(rows.values, rows.counts, rows.squares), 0.0)
    named = np.array([name in kept for name in rows.values])
    columns = [None if c is None else np.append(c[named], c[~named].sum()) for c in (rows.counts, rows.squares)]
    values = np.append(rows.values[named], OTHERS)
    order = np.argsort(values)
    each, squares = (None if column is None else column[order] for column in columns)
    assert each is not None
    return _Kept(Counted(values[order], each, squares), float(rows.counts[~named].sum()) / rows.total)


def _insert(engine: Engine, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        columns = {name: pa.array([row[name] for row in rows], _TYPES.get(name)) for name in rows[0]}
        engine.insert("reference_profiles", pa.table(columns))
