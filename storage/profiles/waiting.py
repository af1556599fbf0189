"""Minutes that have rows and no states of them yet, and how far each partition's progress may be noted."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

from core.findings import Window
from core.records import ModelKey
from storage.profiles.arrivals import Minute
from storage.profiles.grains import BELOW, DAY, HOUR, MINUTE, Grain

# A minute is over for this long, and rows that come to it later have gathered so long, before its states are made.
SETTLE = timedelta(seconds=30)


class _Noticed(NamedTuple):
    at: datetime
    turn: int


class Waiting:
    """Not a clock: moments come in as arguments."""

    def __init__(self) -> None:
        self._minutes: dict[str, dict[Minute, _Noticed]] = {}
        self._marks: dict[str, deque[tuple[int, int]]] = {}
        self._turns = count()

    def __len__(self) -> int:
        return sum(map(len, self._minutes.values()))

    def add(self, day: str, minutes: Iterable[Minute], block: int, now: datetime) -> None:
        """Minutes of one partition that rows came to, up to its insert `block`; one that waits keeps its turn."""
        noticed = _Noticed(now, next(self._turns))
        waiting = self._minutes.setdefault(day, {})
        for minute in minutes:
            waiting.setdefault(minute, noticed)
        self._marks.setdefault(day, deque()).append((noticed.turn, block))

    def settled(self, now: datetime) -> list[Minute]:
        """Those whose states are due, the newest first."""
        due = [m for some in self._minutes.values() for m, noticed in some.items() if _due(m, noticed) <= now]
        return sorted(due, key=lambda minute: minute.start, reverse=True)

    def inside(self, model: ModelKey, window: Window) -> list[Minute]:
        """Those of a model that share any moment with `window`, due or not, the newest first."""
        found = [
            minute
            for some in self._minutes.values()
            for minute in some
            if minute.model == model and minute.start < window.end and minute.start + MINUTE.length > window.start
        ]
        return sorted(found, key=lambda minute: minute.start, reverse=True)

    def done(self, minutes: Iterable[Minute]) -> None:
        for minute in minutes:
            self._minutes.get(partition(minute.start), {}).pop(minute, None)

    def postpone(self, minutes: Iterable[Minute], until: datetime) -> None:
        """They stay where they are, but are not due before."""
        for minute in minutes:
            waiting = self._minutes.get(partition(minute.start), {})
            if minute in waiting:
                waiting[minute] = waiting[minute]._replace(at=until - SETTLE)

    def progress(self) -> dict[str, int]:
        """By partition, the insert up to which no minute waits; each is said once."""
        found = {}
        for day, marks in list(self._marks.items()):
            oldest = min((noticed.turn for noticed in self._minutes[day].values()), default=None)
            while marks and (oldest is None or marks[0][0] < oldest):
                found[day] = marks.popleft()[1]
            if not marks and not self._minutes[day]:
                del self._marks[day], self._minutes[day]
        return found

    def lag(self, now: datetime) -> timedelta:
        """How long the minute that is due for the longest time has been."""
        dues = [_due(minute, noticed) for some in self._minutes.values() for minute, noticed in some.items()]
        return max(now - min(dues, default=now), timedelta(0))


def with_neighbours(minute: Minute, since: Mapping[Grain, datetime]) -> list[Minute]:
    """A minute, and where states of its age are no longer kept, all that its hour or its day is made of."""
    grain = next((g for g in (DAY, HOUR) if minute.start < since.get(BELOW[g], minute.start)), MINUTE)
    start = grain.floor(minute.start)
    return [minute._replace(start=start + n * MINUTE.length) for n in range(grain.length // MINUTE.length)]


def partition(moment: datetime) -> str:
    """The id of the partition of `predictions` that a moment is in."""
    return moment.strftime("%Y%m%d")


def days(window: Window) -> set[str]:
    """The partitions that a window touches."""
    first, last = DAY.floor(window.start), DAY.ceiling(window.end)
    return {partition(first + n * DAY.length) for n in range((last - first) // DAY.length)}


def _due(minute: Minute, noticed: _Noticed) -> datetime:
    return max(minute.start + MINUTE.length, noticed.at) + SETTLE
