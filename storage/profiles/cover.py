"""Which states a window is made of: whole days, then whole hours, and minutes at its edges."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from core.findings import Window
from core.records import ModelKey
from storage.engine import Engine
from storage.profiles.grains import DAY, HOUR, MINUTE, Grain
from storage.profiles.tally import seconds

# What thinning the states of an edge may add to a window's error, and how few values that may leave.
EDGE_ERROR = 0.0002
FEWEST_VALUES = 16

_MODEL = "namespace = {namespace:String} AND model = {model:String}"


class Stretches(NamedTuple):
    """Stretches of one grain between two moments, which are both among its edges."""

    grain: Grain
    start: datetime
    end: datetime


def stretches(window: Window) -> Iterator[Stretches]:
    """In order of their grain; a window that does not begin and end with a minute has none."""
    inner = Window(window.end, window.end)  # what the grains so far do not cover is around it
    if MINUTE.floor(window.start) != window.start or MINUTE.floor(window.end) != window.end:
        return
    for grain in (DAY, HOUR, MINUTE):
        start, end = grain.ceiling(window.start), grain.floor(window.end)
        if inner.start == inner.end and start < end:
            yield Stretches(grain, start, end)
            inner = Window(start, end)
        elif inner.start < inner.end:
            yield from (Stretches(grain, s, e) for s, e in ((start, inner.start), (inner.end, end)) if s < e)
            inner = Window(min(start, inner.start), max(end, inner.end))


@dataclass(frozen=True)
class Cover:
    """States by their grain, start and revision; `segments` are those that all of them have ('' = all rows).

    `edges`: what is left of the window where the states of an edge are no longer kept. Its rows are few.
    """

    model: ModelKey
    states: Mapping[Grain, Sequence[tuple[str, int]]]
    segments: frozenset[str]
    edges: tuple[Window, ...] = ()

    def has(self, key: str) -> bool:
        """Whether the segments of a tag, or with '' the whole, can be read from the states."""
        return not self.states or key in self.segments

    def select(self, columns: Callable[[int], str], where: str) -> str:
        """SELECT of columns from all of them, given the most values that their grain needs; see `params`."""
        return " UNION ALL ".join(
            f"SELECT {columns(self._most(grain))} FROM {grain.table} WHERE {_MODEL} AND {where}"
            f" AND start IN {{{grain.name}_starts:Array(DateTime('UTC'))}}"
            f" AND (start, revision) IN {{{grain.name}:Array(Tuple(DateTime('UTC'), UInt64))}}"
            for grain in self.states
        )

    def _most(self, grain: Grain) -> int:
        """The states of an edge are little of a long window, and so is their error."""
        lengths = {each: len(found) * each.length for each, found in self.states.items()}
        share = lengths[grain] / sum(lengths.values(), timedelta(0))
        return min(grain.values, max(FEWEST_VALUES, int(0.5 * share / EDGE_ERROR)))

    @property
    def params(self) -> dict[str, Any]:
        states = {grain.name: list(found) for grain, found in self.states.items()}
        starts = {f"{name}_starts": [start for start, _ in found] for name, found in states.items()}
        return {**self.model._asdict(), **states, **starts}


def cover(engine: Engine, model: ModelKey, window: Window, since: Mapping[Grain, datetime]) -> Cover | None:
    """The states of `window`; None when it does not begin and end with a minute, or lies before all that is kept.

    `since`: states of a grain before this moment may be gone.
    """
    wanted = list(stretches(window))
    gone = [part for part in wanted if part.start < since.get(part.grain, part.start)]
    if len(gone) == len(wanted):
        return None
    states: dict[Grain, list[tuple[str, int]]] = {}
    kept: list[frozenset[str]] = []
    for part in wanted:
        for row in _newest(engine, model, part) if part not in gone else ():
            states.setdefault(part.grain, []).append((row["at"], row["newest"]))
            kept.append(frozenset(row["segments"]))
    segments = frozenset.intersection(*kept) if kept else frozenset([""])
    return Cover(model, states, segments, tuple(Window(part.start, part.end) for part in gone))


def _newest(engine: Engine, model: ModelKey, part: Stretches) -> list[dict[str, Any]]:
    return engine.rows(
        "SELECT toString(start) AS at, max(revision) AS newest, argMax(segments, revision) AS segments"
        f" FROM {part.grain.table} WHERE {_MODEL} AND role = ''"
        " AND start >= {first:DateTime('UTC')} AND start < {end:DateTime('UTC')} GROUP BY start ORDER BY start",
        {**model._asdict(), "first": seconds(part.start), "end": seconds(part.end)},
    )


def days_ago(now: datetime, days: Mapping[str, int]) -> dict[Grain, datetime]:
    """From when on the states of each grain are all there, given how many days each table keeps."""
    margin = timedelta(hours=1)  # the store's clock decides
    return {g: now - timedelta(days=days[g.table]) + margin for g in (MINUTE, HOUR, DAY) if g.table in days}
