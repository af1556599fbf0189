"""What `storage.windows.distributions` reads from rows, merged from the states that cover a window."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from core.distribution import Distribution
from storage.engine import Engine
from storage.profiles import states
from storage.profiles.cover import Cover
from storage.profiles.merge import OTHERS, Counted, added, merged
from storage.profiles.states import Group, States
from storage.windows.distributions import MOST_PARTS, Field, Part, Totals, field_of
from storage.windows.relations import PREDICTION_MAPS, FieldMap, Relation

Key = tuple[str, str]  # version and segment

THREADS = 2  # numpy sorts without the interpreter's lock

_MAPS: dict[tuple[str, str], FieldMap] = {(source.role, source.kind): source for source in PREDICTION_MAPS}
_KEYS = ("position", "field", "of_version", "segment", "role", "kind")
_POSITION = "(role = 'output') * 2 + (kind = 'cat') AS position"  # of the map in PREDICTION_MAPS


class Asked(NamedTuple):
    """Fields (those named in `only`, None = all) of the parts that `totals` gave for the tag `segment`."""

    relation: Relation
    totals: Sequence[Totals]
    segment: str
    only: Sequence[str] | None


def totals(engine: Engine, found: Cover, relation: Relation, segment: str) -> list[Totals]:
    """As `storage.windows.distributions.totals`; `cells` are the values that the states hold."""
    if not found.states:
        return []
    columns = f"{_version(relation)}, segment, start, version, weight, rows, missing"
    rows = engine.rows(
        f"SELECT of_version, segment, weight, rows, missing FROM ({found.select(lambda _: columns, _rows_of(segment))})"
        " ORDER BY of_version, segment, start, version, weight",
        {**found.params, "key": segment},
    )
    cells = _cells(engine, found, relation, segment)
    by_key = groupby(rows, key=lambda row: (row["of_version"], row["segment"]))
    parts = [_total(key, list(members), cells.get(key, {})) for key, members in by_key]
    return sorted(parts, key=lambda part: (-part.rows, part.version, part.segment))[:MOST_PARTS]


def listing(engine: Engine, found: Cover, relation: Relation, segment: str) -> dict[Key, set[Field]]:
    """As `storage.windows.distributions.listing`."""
    if not found.states:
        return {}
    columns = f"{_version(relation)}, segment, role, kind, field, {_POSITION}"
    rows = engine.rows(
        f"SELECT DISTINCT of_version, segment, role, kind, field, position FROM"
        f" ({found.select(lambda _: columns, _fields_of(segment))}) ORDER BY position",
        {**found.params, "key": segment},
    )
    fields: dict[Key, set[Field]] = {}
    inputs: set[str] = set()
    for row in rows:
        field = field_of(_MAPS[row["role"], row["kind"]], row["field"], inputs)
        fields.setdefault((row["of_version"], row["segment"]), set()).add(field)
    return fields


def parts(engine: Engine, found: Cover, asked: Asked) -> list[Part]:
    """As `storage.windows.distributions.read`."""
    by_part: dict[Key, dict[Field, Distribution]] = {(p.version, p.segment): {} for p in asked.totals}
    by_key = {(part.version, part.segment): part for part in asked.totals}
    inputs: set[str] = set()
    wanted = []
    for state, group in _states(engine, found, asked):
        _, name, version, segment, role, kind = group.key
        field = field_of(source := _MAPS[role, kind], name, inputs)
        if part := by_key.get((version, segment)):
            wanted.append((part, field, (source, part, state, group)))
    with ThreadPoolExecutor(THREADS) as threads:
        merged_ones = threads.map(lambda each: _distribution(*each[2]), wanted)
        for (part, field, _), distribution in zip(wanted, merged_ones, strict=True):
            by_part[part.version, part.segment][field] = distribution
    return [Part(p.version, p.segment, p.rows, by_part[p.version, p.segment]) for p in asked.totals]


def _states(engine: Engine, found: Cover, asked: Asked) -> Iterator[tuple[States, Group]]:
    if not found.states or not asked.totals:
        return
    where = _fields_of(asked.segment)
    where += " AND field IN {only:Array(String)}" if asked.only is not None else ""
    plain = (*_KEYS, "at", "version")
    at = "toInt64(toUnixTimestamp(start)) AS at"
    named = f"{_version(asked.relation)}, version, segment, role, kind, field, {at}, {_POSITION}"
    selected = found.select(lambda most: f"{named}, {states.thinned(most)}", where)
    params = {**found.params, "key": asked.segment, "only": list(asked.only or ())}
    sql = f"SELECT {', '.join(plain)}, {states.THINNED} FROM ({selected})"
    read, groups = states.read(engine, (*plain, "weight"), len(_KEYS), states.Select(sql, params))
    yield from ((read, group) for group in groups)


def _distribution(source: FieldMap, part: Totals, found: States, group: Group) -> Distribution:
    total, all_squares = part.ok_weights if source.role == "output" else part.weights
    effective_rows = total * total / all_squares if all_squares else 0.0
    rows, weights, errors = (found.column(name, group).astype(np.float64) for name in ("rows", "weight", "error"))
    known = float(rows @ weights)
    missing = total - known if total - known > 1e-9 * total else 0.0
    error = float((rows * weights) @ errors) / total if total else 0.0
    curve = _categories(found, group) if source.kind == "cat" else _numbers(found, group, part.weighted)
    squares = curve.squares if part.weighted else None
    return Distribution(curve.values, curve.counts, missing, effective_rows, squares, error)


def _numbers(found: States, group: Group, weighted: bool) -> Counted:
    values, counts, weights = found.numbers(group)
    if weighted:
        return merged(values, counts * weights, counts * weights * weights)
    curve = merged(values, counts)
    # As `Distribution.of_sorted` has them: of measurements sums are then the same to the bit.
    once = len(curve.values) == len(values) and bool((counts == 1).all())
    return curve._replace(counts=np.broadcast_to(1.0, len(values))) if once else curve


def _categories(found: States, group: Group) -> Counted:
    """What the states do not keep by name is one category."""
    weights = found.column("weight", group).tolist()
    others = [(OTHERS, rest, weight) for rest, weight in zip(found.rests(group), weights, strict=True) if rest]
    listed = [*found.categories(group), *others]
    counts = added((name, count * weight) for name, count, weight in listed)
    squares = added((name, count * weight * weight) for name, count, weight in listed)
    names = sorted(counts)
    each = (np.array([found[name] for name in names]) for found in (counts, squares))
    return Counted(np.array(names, dtype=object), *each)


def _total(key: Key, rows: Sequence[dict[str, Any]], cells: dict[FieldMap, int]) -> Totals:
    weights = np.array([row["weight"] for row in rows])
    held = np.array([row["rows"] for row in rows], dtype=np.float64)
    ok = held - np.array([row["missing"] for row in rows])
    return Totals(
        *key,
        rows=sum(row["rows"] for row in rows),
        cells=tuple(cells.get(source, 0) for source in PREDICTION_MAPS),
        weighted=bool((weights != 1).any()),
        weights=(float(held @ weights), float(held @ weights**2)),
        ok_weights=(float(ok @ weights), float(ok @ weights**2)),
    )


def _cells(engine: Engine, found: Cover, relation: Relation, segment: str) -> dict[Key, dict[FieldMap, int]]:
    named = f"{_version(relation)}, segment, role, kind"
    selected = found.select(lambda most: f"{named}, {states.held(most)} AS held", _fields_of(segment))
    rows = engine.rows(
        f"SELECT of_version, segment, role, kind, sum(held) AS cells FROM ({selected})"
        " GROUP BY of_version, segment, role, kind",
        {**found.params, "key": segment},
    )
    cells: dict[Key, dict[FieldMap, int]] = {}
    for row in rows:
        cells.setdefault((row["of_version"], row["segment"]), {})[_MAPS[row["role"], row["kind"]]] = row["cells"]
    return cells


def _version(relation: Relation) -> str:
    apart = relation.stretch is None or relation.stretch.apart
    return f"{'toString(version)' if apart else repr('')} AS of_version"


def _rows_of(segment: str) -> str:
    return f"role = '' AND {_segment(segment)}"


def _fields_of(segment: str) -> str:
    return f"role != '' AND {_segment(segment)}"


def _segment(key: str) -> str:
    return "startsWith(segment, concat({key:String}, '='))" if key else "segment = ''"
