"""The states of hours from those of minutes, and of days from those of hours."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

from core.records import ModelKey
from storage.engine import Engine
from storage.profiles import states
from storage.profiles.coarser_states import KEYS, State, coarser_state
from storage.profiles.grains import DAY, HOUR, MINUTE, Grain
from storage.profiles.tally import seconds

# Values of states held in memory at once.
MOST_VALUES = 5_000_000

_SECOND = timedelta(seconds=1)
_TYPES = {
    "start": pa.timestamp("s", tz="UTC"),
    "values": pa.list_(pa.float64()),
    "counts": pa.list_(pa.float64()),
    "categories": pa.list_(pa.string()),
}


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
        " USING (namespace, model, stretch) WHERE content != made_of ORDER BY namespace, model, stretch DESC",
        {"first": seconds(first), "end": seconds(end), **(among.model._asdict() if among.model else {})},
    )
    return [Stretch(ModelKey(r["namespace"], r["model"]), r["at"], r["revision"], r["content"]) for r in rows]


def make_stretches(engine: Engine, step: Step, stretches: Sequence[Stretch]) -> None:
    """Insert the states of hours or days of one model, those of whole rows last."""
    for some in _packs(engine, step, stretches):
        params = _params(step, [stretch for stretch, _ in some])
        pieces = -(-sum(values for _, values in some) // MOST_VALUES)
        for piece in range(pieces):
            mine = f"{_newest(step)} AND role != '' AND cityHash64(field) % {pieces:d} = {piece:d}"
            named = f"{_start_of(step)} AS stretch, toInt64(toUnixTimestamp(start)) AS at, {', '.join(KEYS)}"
            columns = f"{named}, missing, different, mean, variance, min, max, {states.COLUMNS}"
            selected = states.Select(f"SELECT {columns} FROM {step.below.table} WHERE {mine}", params)
            keys = ("stretch", *KEYS, "weight")
            found, groups = states.read(engine, (*keys, "at"), len(keys), selected)
            made = [(int(group.key[0]), coarser_state(found, group, step.grain)) for group in groups]
            _insert(engine, step, {int(s.start.timestamp()): s for s, _ in some}, made)
        engine.command(_rows(step), params)


def _packs(engine: Engine, step: Step, stretches: Sequence[Stretch]) -> Iterator[list[tuple[Stretch, int]]]:
    """Of as many values as may be in memory, unless one alone has more; with their numbers."""
    rows = engine.rows(
        f"SELECT {_start_of(step)} AS stretch, sum(length(values) + length(categories)) AS held"
        f" FROM {step.below.table} WHERE {_newest(step)} GROUP BY stretch",
        _params(step, stretches),
    )
    held = {row["stretch"]: row["held"] for row in rows}
    pack: list[tuple[Stretch, int]] = []
    for stretch in stretches:
        values = held.get(int(stretch.start.timestamp()), 0)
        if pack and sum(n for _, n in pack) + values > MOST_VALUES:
            yield pack
            pack = []
        pack.append((stretch, values))
    yield pack


def _start_of(step: Step) -> str:
    """Of the hour or day that a state below belongs to, in seconds."""
    return f"toInt64(intDiv(toUnixTimestamp(start), {step.grain.length // _SECOND}) * {step.grain.length // _SECOND})"


def _newest(step: Step) -> str:
    """The condition on the states below that count."""
    model = "namespace = {namespace:String} AND model = {model:String}"
    span = "start >= {first:DateTime('UTC')} AND start < {end:DateTime('UTC')}"
    where = f"{model} AND {span} AND {_start_of(step)} IN {{stretches:Array(Int64)}}"
    newest = f"SELECT start, max(revision) FROM {step.below.table} WHERE role = '' AND {where} GROUP BY start"
    return f"{where} AND (start, revision) IN ({newest})"


def _params(step: Step, stretches: Sequence[Stretch]) -> dict[str, Any]:
    starts = [stretch.start for stretch in stretches]
    return {
        **stretches[0].model._asdict(),
        "first": seconds(min(starts)),
        "end": seconds(max(starts) + step.grain.length),
        "stretches": [int(start.timestamp()) for start in starts],
        "revisions": [stretch.revision for stretch in stretches],
        "contents": [stretch.content for stretch in stretches],
    }


def _insert(engine: Engine, step: Step, stretches: Mapping[int, Stretch], made: Sequence[tuple[int, State]]) -> None:
    if not made:
        return
    of = [stretches[start] for start, _ in made]
    columns: dict[str, list[Any]] = {
        "namespace": [stretch.model.namespace for stretch in of],
        "model": [stretch.model.model for stretch in of],
        "start": [stretch.start for stretch in of],
        "revision": [stretch.revision for stretch in of],
    }
    columns |= {name: [state[name] for _, state in made] for name in made[0][1]}
    arrays = {name: pa.array(column, _TYPES.get(name)) for name, column in columns.items()}
    engine.insert(step.grain.table, pa.table(arrays))


def _rows(step: Step) -> str:
    """INSERT of the rows of each version, segment and weight; segments are kept when they are all the time."""
    columns = "namespace, model, start, revision, content, version, segment, weight, rows, missing, segments"
    below = f"{step.below.table} WHERE role = '' AND {_newest(step)}"
    kept = f"SELECT {_start_of(step)} AS stretch, groupArrayIntersect(segments) AS kept FROM {below} GROUP BY stretch"
    rows = (
        f"SELECT {_start_of(step)} AS stretch, version, segment, weight, sum(rows) AS held, sum(missing) AS failed"
        f" FROM {below} GROUP BY stretch, version, segment, weight"
    )
    at = "indexOf({stretches:Array(Int64)}, stretch)"
    return (
        f"INSERT INTO {step.grain.table} ({columns}) SELECT {{namespace:String}}, {{model:String}},"
        f" toDateTime(stretch), {{revisions:Array(UInt64)}}[{at}], {{contents:Array(UInt64)}}[{at}], version,"
        f" segment, weight, held, failed, kept FROM ({rows}) AS rows ANY LEFT JOIN ({kept}) AS kept USING (stretch)"
    )
