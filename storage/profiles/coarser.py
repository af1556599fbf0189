"""The states of hours from those of minutes, and of days from those of hours."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from core.records import ModelKey
from storage.engine import Engine
from storage.profiles import states
from storage.profiles.grains import CATEGORY_BYTES, DAY, HOUR, MINUTE, MOST_CATEGORIES, Grain
from storage.profiles.merge import Moments, added, merged, moments, most_frequent, order_statistics
from storage.profiles.states import Group, States
from storage.profiles.tally import seconds

# Values of states held in memory at once.
MOST_VALUES = 5_000_000

_KEYS = ("version", "segment", "role", "kind", "field")
_NEWEST = "SELECT start, max(revision) FROM {table} WHERE role = '' AND {where} GROUP BY start"


class Stretch(NamedTuple):
    """An hour or a day of a model: the revision it gets, and a hash of those it is made of."""

    model: ModelKey
    start: datetime
    revision: int
    content: int


class Step(NamedTuple):
    """States of `grain` are made of those of `below`."""

    below: Grain
    grain: Grain


STEPS = (Step(MINUTE, HOUR), Step(HOUR, DAY))


class Among(NamedTuple):
    """Stretches that lie wholly between two moments, of one model or of all."""

    first: datetime
    end: datetime
    model: ModelKey | None = None


def stale(engine: Engine, step: Step, among: Among) -> list[Stretch]:
    """Those that have no states, or not of the newest revisions below."""
    first, end = step.grain.ceiling(among.first), step.grain.floor(among.end)
    if first >= end:
        return []
    model = " AND namespace = {namespace:String} AND model = {model:String}" if among.model else ""
    where = f"role = '' AND start >= {{first:DateTime('UTC')}} AND start < {{end:DateTime('UTC')}}{model}"
    start = f"toStartOfInterval(start, toIntervalSecond({int(step.grain.length.total_seconds())}))"
    below = (
        f"SELECT namespace, model, {start} AS stretch, start, max(revision) AS newest FROM {step.below.table}"
        f" WHERE {where} GROUP BY namespace, model, start"
    )
    rows = engine.rows(
        "SELECT namespace, model, toDateTime64(stretch, 6, 'UTC') AS at, content, greatest(last, made + 1) AS revision"
        " FROM (SELECT namespace, model, stretch, max(newest) AS last, sum(sipHash64(start, newest)) AS content"
        f" FROM ({below}) GROUP BY namespace, model, stretch) AS below LEFT JOIN"
        " (SELECT namespace, model, start AS stretch, max(revision) AS made, argMax(content, revision) AS made_of"
        f" FROM {step.grain.table} WHERE {where} GROUP BY namespace, model, stretch) AS above"
        " USING (namespace, model, stretch) WHERE content != made_of ORDER BY stretch DESC, namespace, model",
        {"first": seconds(first), "end": seconds(end), **(among.model._asdict() if among.model else {})},
    )
    return [Stretch(ModelKey(r["namespace"], r["model"]), r["at"], r["revision"], r["content"]) for r in rows]


def make_stretch(engine: Engine, step: Step, stretch: Stretch) -> None:
    """Insert the states of one hour or day, those of whole rows last."""
    where = "namespace = {namespace:String} AND model = {model:String}"
    where += " AND start >= {first:DateTime('UTC')} AND start < {end:DateTime('UTC')}"
    newest = _NEWEST.format(table=step.below.table, where=where)
    where += f" AND (start, revision) IN ({newest})"
    params = {
        **stretch.model._asdict(),
        "first": seconds(stretch.start),
        "end": seconds(stretch.start + step.grain.length),
    }
    for piece in range(pieces := _pieces(engine, step, where, params)):
        mine = f"{where} AND cityHash64(field) % {pieces:d} = {piece:d}"
        columns = f"start, {', '.join(_KEYS)}, missing, different, mean, variance, min, max, {states.COLUMNS}"
        selected = states.Select(f"SELECT {columns} FROM {step.below.table} WHERE role != '' AND {mine}", params)
        found, groups = states.read(engine, (*_KEYS, "weight", "start"), len(_KEYS) + 1, selected)
        _insert(engine, step, stretch, [_state(found, group, step) for group in groups])
    made = {"at": seconds(stretch.start), "revision": stretch.revision, "content": stretch.content}
    engine.command(_rows(step, where), {**params, **made})


def _pieces(engine: Engine, step: Step, where: str, params: dict[str, Any]) -> int:
    sql = f"SELECT sum(length(values) + length(categories)) AS n FROM {step.below.table} WHERE {where}"
    (row,) = engine.rows(sql, params)
    return -(-int(row["n"]) // MOST_VALUES)


def _state(found: States, group: Group, step: Step) -> dict[str, Any]:
    rows, errors = (found.column(name, group).astype(np.float64) for name in ("rows", "error"))
    *key, weight = group.key
    state: dict[str, Any] = {
        **dict(zip(_KEYS, key, strict=True)),
        "weight": weight,
        "rows": int(rows.sum()),
        "missing": int(found.column("missing", group).sum()),
        "different": int(found.column("different", group).max()),
        **dict.fromkeys(("mean", "variance", "min", "max"), np.nan),
        **dict.fromkeys(("values", "categories", "counts"), ()),
        "rest": 0,
        "error": float(errors @ rows / rows.sum()),
    }
    return _categories(state, found, group, step) if state["kind"] == "cat" else _numbers(state, found, group, step)


def _numbers(state: dict[str, Any], found: States, group: Group, step: Step) -> dict[str, Any]:
    values, counts, _ = found.numbers(group)
    known = merged(values, counts)
    kept, each = order_statistics(known, step.grain.values)
    names = ("rows", "mean", "variance", "min", "max")
    columns = zip(*(found.column(name, group).tolist() for name in names), strict=True)
    together = moments([Moments(*numbers) for numbers in columns])
    return {
        **state,
        "mean": together.mean,
        "variance": together.variance,
        "min": together.low,
        "max": together.high,
        "different": max(state["different"], len(known.values)),
        "values": kept,
        "counts": () if each is None else each,
        "error": state["error"] + (step.grain.error if each is None else 0.0),
    }


def _categories(state: dict[str, Any], found: States, group: Group, step: Step) -> dict[str, Any]:
    counts = added((name, count) for name, count, _ in found.categories(group))
    kept = most_frequent(counts, MOST_CATEGORIES[step.grain], CATEGORY_BYTES[step.grain])
    each = [counts[name] for name in kept]
    rest = state["rows"] - int(sum(each))
    different = max(state["different"], len(counts))
    return {
        **state,
        "different": different,
        "categories": kept,
        "counts": each,
        "rest": rest,
        "error": rest / state["rows"],
    }


_TYPES = {
    "start": pa.timestamp("s", tz="UTC"),
    "values": pa.list_(pa.float64()),
    "counts": pa.list_(pa.float64()),
    "categories": pa.list_(pa.string()),
}


def _insert(engine: Engine, step: Step, stretch: Stretch, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    same = {**stretch.model._asdict(), "start": stretch.start, "revision": stretch.revision}
    columns = {name: [value] * len(rows) for name, value in same.items()}
    columns |= {name: [row[name] for row in rows] for name in rows[0]}
    arrays = {name: pa.array(column, _TYPES.get(name)) for name, column in columns.items()}
    engine.insert(step.grain.table, pa.table(arrays))


def _rows(step: Step, where: str) -> str:
    """INSERT of the rows of each version, segment and weight; segments are kept when they are all the time."""
    columns = "namespace, model, start, revision, content, version, segment, weight, rows, missing, segments"
    newest = f"role = '' AND {where}"
    kept = f"SELECT groupArrayIntersect(segments) FROM {step.below.table} WHERE {newest}"
    return (
        f"INSERT INTO {step.grain.table} ({columns}) SELECT namespace, model, {{at:DateTime('UTC')}},"
        f" {{revision:UInt64}}, {{content:UInt64}}, version, segment, weight, sum(rows), sum(missing), ({kept})"
        f" FROM {step.below.table} WHERE {newest} GROUP BY namespace, model, version, segment, weight"
    )
