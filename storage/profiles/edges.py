"""The old edge of a long window, whose minutes are no longer kept, counted from its rows and added to the states."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from core.distribution import Distribution, Floats
from storage.profiles.merge import added, merged
from storage.windows.distributions import MOST_PARTS, Field, Part, Totals


def add_totals(sides: Iterable[Sequence[Totals]]) -> list[Totals]:
    """Of all sides together, by version and segment, the largest."""
    found: dict[tuple[str, str], Totals] = {}
    for total in (total for side in sides for total in side):
        key = total.version, total.segment
        found[key] = _sum(found[key], total) if key in found else total
    return sorted(found.values(), key=lambda part: (-part.rows, part.version, part.segment))[:MOST_PARTS]


def add_parts(totals: Sequence[Totals], merged_parts: Sequence[Part], edges: Sequence[Part]) -> list[Part]:
    """`merged_parts` are of `totals`, in which the rows of `edges` are counted already."""
    by_key: dict[tuple[str, str], list[Part]] = {}
    for part in edges:
        by_key.setdefault((part.version, part.segment), []).append(part)
    return [
        replace(part, fields=_fields(total, part, by_key.get((part.version, part.segment), [])))
        for total, part in zip(totals, merged_parts, strict=True)
    ]


def _sum(one: Totals, other: Totals) -> Totals:
    return replace(
        one,
        rows=one.rows + other.rows,
        cells=tuple(a + b for a, b in zip(one.cells, other.cells, strict=True)),
        weighted=one.weighted or other.weighted,
        weights=(one.weights[0] + other.weights[0], one.weights[1] + other.weights[1]),
        ok_weights=(one.ok_weights[0] + other.ok_weights[0], one.ok_weights[1] + other.ok_weights[1]),
    )


def _fields(total: Totals, part: Part, edges: Sequence[Part]) -> dict[Field, Distribution]:
    fields = dict(part.fields)
    for field, rows in ((field, rows) for edge in edges for field, rows in edge.fields.items()):
        fields[field] = _both(fields.get(field) or _nothing(rows, total), rows, total.weighted)
    return fields


def _nothing(rows: Distribution, total: Totals) -> Distribution:
    """Of a field that only the edge has: in all other rows it is missing."""
    weight, squares = total.weights
    return Distribution(rows.values[:0], np.empty(0), weight, weight * weight / squares, None, 0.0)


def _both(states: Distribution, rows: Distribution, weighted: bool) -> Distribution:
    """The missing of `states` are those of both and the edge's known rows, which they did not have."""
    missing = states.missing - float(rows.counts.sum())
    missing = missing if missing > 1e-9 * states.total else 0.0
    counts = np.concatenate([states.counts, rows.counts])
    squares = np.concatenate([_squares(states), _squares(rows)]) if weighted else None
    values = np.concatenate([states.values, rows.values])
    if states.kind == "cat":
        names = np.array(sorted(set(values.tolist())), dtype=object)
        each = [added(zip(values.tolist(), c.tolist(), strict=True)) for c in (counts, squares) if c is not None]
        columns = [np.array([known[name] for name in names]) for known in each]
        values, counts, squares = names, columns[0], columns[1] if weighted else None
        return replace(states, values=values, counts=counts, missing=missing, squares=squares)
    curve = merged(values, counts, squares)
    return replace(states, values=curve.values, counts=curve.counts, missing=missing, squares=curve.squares)


def _squares(found: Distribution) -> Floats:
    """Rows that all weigh one have none."""
    return found.counts if found.squares is None else found.squares
