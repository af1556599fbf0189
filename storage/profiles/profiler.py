"""Keeps the profiles in step with `predictions`, a bounded piece of work at a time."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby

from core.errors import StoreError, StoreUnavailable
from core.findings import Window
from core.records import ModelKey
from core.times import to_micros
from storage.engine import Engine
from storage.profiles.arrivals import Arrivals, Minute
from storage.profiles.coarser import STEPS, Among, Step, make_stretches, stale
from storage.profiles.cover import days_ago
from storage.profiles.grains import DAY, HOUR, KEPT_DAYS, MINUTE
from storage.profiles.minutes import Making, make, pieces
from storage.profiles.tally import Batch, Tally, newest_revision, tallies
from storage.profiles.waiting import SETTLE, Waiting, days, with_neighbours

# What one call may work through, and at least one piece of work: about half a second of two cores in each round, which
# leaves the store most of the time, and two when a window waits for it.
CELLS_AT_ONCE = 5_000_000
CELLS_WAITED_FOR = 20_000_000
# Rows hashed at once to see which minutes have changed, and minutes asked for before anything is known of their rows.
ROWS_AT_ONCE = 2_000_000
FIRST_MINUTES = 8
MOST_MINUTES = 240
# What naming them all may take: parameters of statements go in the head of a call, which servers limit.
MOST_TEXT = 20_000
# Minutes known to wait; older partitions are looked at when there are fewer.
MOST_WAITING = 20_000
# Hours and days made in one call, and how far back a start looks for those that are missing.
MOST_STRETCHES = 50
STARTING = timedelta(days=8)
# After the store refused to make states of some minutes; windows over them are counted from rows meanwhile.
AGAIN = timedelta(minutes=5)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """What one call did: values profiled, and minutes that got other states than they had. `lag`: see Waiting."""

    cells: int = 0
    changed: int = 0
    lag: timedelta = timedelta(0)


class Profiler:
    """Makes the states of minutes that have settled, newest first, and of those that a window needs at once.

    `tags`: of each model, those whose segments get states of their own. `kept`: days, by table; of minutes older than
    predictions are kept for, rows may be gone, and the states there are stay. Progress is kept in the store; after a
    kill some minutes are looked at again. Several profilers over one store do the same work twice, and no harm.
    """

    def __init__(
        self, engine: Engine, tags: Mapping[ModelKey, Sequence[str]], kept: Mapping[str, int] = KEPT_DAYS
    ) -> None:
        self._engine, self._tags, self._kept = engine, tags, kept
        self._waiting = Waiting()
        self.looked_at = 0  # minutes so far, changed or not
        self._ready_at: dict[tuple[ModelKey, Window], int] = {}  # what `looked_at` was then
        self._touched: dict[tuple[ModelKey, datetime], set[datetime]] = {}  # hours of each day whose minutes changed
        self._batch_minutes = FIRST_MINUTES
        self._hour: datetime | None = None  # up to which hours and days have been looked for

    @cached_property
    def _revision(self) -> int:
        return newest_revision(self._engine)

    @cached_property
    def _arrivals(self) -> Arrivals:
        return Arrivals(self._engine)

    def keep_up(self, now: datetime) -> Progress:
        """Do what is due, or a bounded part of it."""
        self._notice(now)
        progress = self._profile(self._waiting.settled(now), now, CELLS_AT_ONCE)
        self._turn_of_the_hour(now)
        for day, block in self._waiting.progress().items():
            self._arrivals.note(day, block)
        return Progress(progress.cells, progress.changed, self._waiting.lag(now))

    def ready(self, model: ModelKey, window: Window, now: datetime) -> bool:
        """Whether all rows of `window` that are visible now are in the states, once those that can be are made."""
        touched = days(window)
        for day, block in self._arrivals.partitions().items():
            if day in touched:
                self._take(day, block, now)
        self._profile(self._waiting.inside(model, window), now, CELLS_WAITED_FOR)
        if self._waiting.inside(model, window):
            return False
        if self._ready_at.get((model, window)) != self.looked_at:
            self._remake(Among(window.start, window.end, model), now)
            self._ready_at = {**self._ready_at, (model, window): self.looked_at} if len(self._ready_at) < 64 else {}
        return True

    def _notice(self, now: datetime) -> None:
        for day, block in self._arrivals.partitions().items():
            if len(self._waiting) > MOST_WAITING:
                return
            self._take(day, block, now)

    def _take(self, day: str, block: int, now: datetime) -> None:
        minutes = self._arrivals.take(day, block)
        if days := self._kept.get("predictions"):
            minutes = [minute for minute in minutes if minute.start > now - timedelta(days=days)]
        since = days_ago(now, self._kept)
        minutes = [one for minute in minutes for one in with_neighbours(minute, since)]
        self._waiting.add(day, minutes, self._arrivals.known(day), now)

    def _profile(self, minutes: Sequence[Minute], now: datetime, most_cells: int) -> Progress:
        """Those first in the list, until so many values have been worked through."""
        cells, changed = 0, []
        for some, tags in self._batches(minutes):
            try:
                found = tallies(self._engine, Batch(some, tags))
                fresh = [tally for tally in found if not tally.known]
                self._make(fresh, tags, now)
            except StoreUnavailable:
                raise
            except StoreError as error:  # they must not keep the others waiting
                log.error("no profiles of %d minutes from %s on: %s", len(some), some[-1].start, error)
                self._waiting.postpone(some, now + AGAIN)
                continue
            self._waiting.done(some)
            self.looked_at += len(some)
            changed += [tally.minute for tally in fresh]
            cells += sum(sum(tally.cells) for tally in fresh)
            rows = sum(tally.rows for tally in found)
            self._batch_minutes = max(1, min(2 * len(some), MOST_MINUTES, ROWS_AT_ONCE * len(some) // max(rows, 1)))
            if cells + rows > most_cells:
                break
        self._remake_around(changed, now)
        return Progress(cells, len(changed))

    def _batches(self, minutes: Sequence[Minute]) -> Iterator[tuple[list[Minute], tuple[str, ...]]]:
        """Minutes of one day whose models have the same tags, as many as make a good piece of work."""

        def alike(minute: Minute) -> tuple[int, tuple[str, ...]]:
            return -minute.start.toordinal(), tuple(self._tags.get(minute.model, ()))

        for (_, tags), members in groupby(sorted(minutes, key=alike), key=alike):
            same = list(members)
            while same:
                names = max(len(minute.model.namespace) + len(minute.model.model) for minute in same)
                count = max(1, min(self._batch_minutes, MOST_TEXT // (60 + names)))
                some, same = same[:count], same[count:]
                yield some, tags

    def _make(self, fresh: Sequence[Tally], tags: tuple[str, ...], now: datetime) -> None:
        """Under a revision above all that these minutes had."""
        if not fresh:
            return
        self._revision = max(to_micros(now), self._revision + 1, max(tally.revision for tally in fresh) + 1)
        for some in pieces(fresh):
            make(self._engine, Making(Batch([t.minute for t in some], tags), self._revision, some))

    def _remake_around(self, changed: Sequence[Minute], now: datetime) -> None:
        """The hours and days of minutes that rows came to late; of a day gone by once nothing of it waits."""
        for minute in changed:
            hours = self._touched.setdefault((minute.model, DAY.floor(minute.start)), set())
            hours.add(HOUR.floor(minute.start))
        for (model, day), hours in list(self._touched.items()):
            over = day + DAY.length <= now
            if not (over and self._waiting.inside(model, Window(day, day + DAY.length))):
                self._remake_day(model, day, hours, now)
                del self._touched[model, day]

    def _remake_day(self, model: ModelKey, day: datetime, hours: Iterable[datetime], now: datetime) -> None:
        end = min(day + DAY.length, HOUR.floor(now - SETTLE))
        # Of an old day other hours may have lost some of their minutes: only those touched have all of them.
        old = day < days_ago(now, self._kept).get(MINUTE, day)
        for start in sorted(hours) if old else [day]:
            self._remake_one(STEPS[0], Among(start, min(start + HOUR.length, end) if old else end, model))
        self._remake_one(STEPS[1], Among(day, end, model))

    def _turn_of_the_hour(self, now: datetime) -> None:
        """Hours and days that are over, of all models; at the start those that a kill may have left out too."""
        since, until = self._hour or now - STARTING, HOUR.floor(now - SETTLE)
        if until > since and self._remake(Among(DAY.floor(since), until), now, MOST_STRETCHES):
            self._hour = until

    def _remake(self, among: Among, now: datetime, most: int | None = None) -> bool:
        """Those whose parts are all kept still. False when there are more than `most`, and so many have been made."""
        since = days_ago(now, self._kept)
        return all(
            self._remake_one(step, among._replace(first=max(among.first, since.get(step.below, among.first))), most)
            for step in STEPS
        )

    def _remake_one(self, step: Step, among: Among, most: int | None = None) -> bool:
        stretches = stale(self._engine, step, among)
        for _, some in groupby(stretches[:most], key=lambda one: (one.model, DAY.floor(one.start))):
            make_stretches(self._engine, step, list(some))
        return most is None or len(stretches) <= most
