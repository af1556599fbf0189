"""From the taps through the log to the collector, so that what was acknowledged survives and is stored in order.

While memory has room, what a tap accepts goes into the log and straight on to the collector. When it has none (the
store is away or slow) it goes into the log only, and `read_on` takes it from there later: the size of the log bounds
what can wait, not memory. A restart begins like that, at the place the last note names.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from collectors.accepting.fairness import FAIR_FROM, FairShare
from collectors.accepting.into import Frames
from collectors.accepting.items import Halves, Item, Labels, Letters, Rows
from collectors.accepting.journal import frames_of, holds_halves, read_frame
from collectors.accounting.ledger import Entry, Tally
from collectors.accounting.note import Note, read, written
from collectors.accounting.receipts import Receipt
from collectors.accounting.spans import Listed, Spans
from collectors.collector import Accepted, Collector, Cut
from collectors.halves.pairing import Swept, mark
from collectors.storing.duplicates import Told
from core.errors import Overloaded, Rejected
from core.protocols import Journal, Position
from core.records import DeadLetter, Half

LARGE_ROWS = 2_000  # telling duplicates among more takes so long that it happens in a thread
REMEMBERED_ROWS = 200_000
READ_SECONDS = 1.0  # a stop, and what waits to be stored, wait for a backlog no longer than this at a time
WATCHED_FROM = FAIR_FROM / 2  # of the log: below nobody needs to know who sends how much

log = logging.getLogger("tidemark.collector")

NONE = Accepted(0, 0)


class Place(NamedTuple):
    """Which frames were taken, which the ledger knows, and the rows of those it knows that were not taken."""

    taken: Listed
    counted: Listed
    backlog: Tally


class Intake:
    """`accept` is for one event loop, the rest for the thread that flushes. `decode` fills the payload of a half."""

    def __init__(
        self, journal: Journal, collector: Collector, decode: Callable[[Half], Half], clock: Callable[[], int]
    ) -> None:
        self._journal, self._collector, self._decode, self._clock = journal, collector, decode, clock
        self._lock = collector.lock
        self._shares = FairShare(time.monotonic)
        self._crowded = False
        self._behind = True
        self._claimed = journal.trimmed  # the last frame that is taken, or will be in a moment
        self._newest = journal.trimmed  # the last frame that a call has written
        self._open: dict[Position, Position] = {}  # frames about to be taken, each with the one before it
        self._taken, self._counted = Spans(), Spans()
        self._backlog = Tally()  # rows that are counted and not taken

    async def accept(
        self, frames: Frames, receipt: Receipt | None = None, known: Callable[[], Awaitable[None]] | None = None
    ) -> Accepted:
        """Each frame is on disk when this returns.

        Rows that memory has no room for are accepted before anyone has looked whether they are duplicates.
        """
        accepted = NONE
        for item, frame in frames:
            if self._crowded:
                self._check_share(item, len(frame))
            position = await self._journal.append(frame)
            if known or _is_large(item):
                accepted += await self._take_on(item, position, receipt, known)
            else:
                accepted += self._take_at_once(item, position, receipt)
        return accepted

    def _check_share(self, item: Item, size_bytes: int) -> None:
        """When the log fills, those who take most of it are shed first."""
        waiting, limit = self._journal.waiting_bytes, self._journal.limit_bytes
        for namespace in item.namespaces:
            self._shares.check(namespace, size_bytes // len(item.namespaces), waiting, limit)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Letters of what was refused; a log that takes nothing more does not keep them from being stored."""
        try:
            await self.accept(frames_of(Letters([letter.cut() for letter in letters])))
        except (Overloaded, Rejected):
            for letter in letters:
                self._collector.dead_letter(letter)

    def _take_at_once(self, item: Item, position: Position, receipt: Receipt | None) -> Accepted:
        with self._lock:
            if not self._claims(item, position, receipt):
                return Accepted(item.rows.total(), 0)
            before, self._claimed = self._claimed, position
            self._taken.add(before, position)
            return self._hand_over(item, before)

    async def _take_on(
        self,
        item: Item,
        position: Position,
        receipt: Receipt | None,
        known: Callable[[], Awaitable[None]] | None,
    ) -> Accepted:
        """What is claimed now is taken later, whatever happens."""
        with self._lock:
            if not self._claims(item, position, receipt):
                return Accepted(item.rows.total(), 0)
            self._open[position], self._claimed = self._claimed, position
        try:
            if known:
                await known()
        finally:
            large = asyncio.to_thread(self._take, item, position) if _is_large(item) else None
            accepted = await large if large else self._take(item, position)
        return accepted

    def _claims(self, item: Item, position: Position, receipt: Receipt | None) -> bool:
        """Whether a call may take its frame on; else it is read in the log. Calls come here in the order of the log."""
        if position not in self._counted:
            self._count(item, receipt)
            self._counted.add(self._newest, position)
        elif receipt:
            receipt.counted(item.events)
        self._newest = position
        if self._behind or position in self._taken:
            return False
        self._behind = self._collector.full
        return not self._behind

    def _count(self, item: Item, receipt: Receipt | None) -> None:
        ledger, rows = self._collector.ledger, item.rows
        if rows:
            ledger.count_all({"accepted": rows})
            self._backlog.update(rows)
        if receipt:
            receipt.became("accepted", item.events)
        else:
            ledger.accepted_before(item.tap, item.events)

    def _take(self, item: Item, position: Position) -> Accepted:
        told = self._collector.tell(item.batch, item.new) if isinstance(item, Rows) else None
        with self._lock:
            before = self._open.pop(position)
            self._taken.add(before, position)
            accepted = self._hand_over(item, before, told)
        return accepted

    def _hand_over(self, item: Item, before: Position, told: Told | None = None) -> Accepted:
        """An error of our own costs a dead letter; nobody is left to be told."""
        if rows := item.rows:
            self._backlog.subtract(rows)
        try:
            return self._put(item, before, told)
        except Exception as error:
            log.exception("what was accepted could not be taken")
            self._collector.ledger.count_all({"dead_lettered": item.rows})
            for part, frame in frames_of(item):
                letter = DeadLetter(self._clock(), part.tap, "internal", _said(error), "", frame)
                self._collector.dead_letter(replace(letter, **_named(part)))
            return Accepted(item.rows.total(), 0)

    def _put(self, item: Item, before: Position, told: Told | None) -> Accepted:
        collector = self._collector
        if isinstance(item, Rows):
            return collector.told_rows(told or collector.tell(item.batch, item.new), item.fields)
        if isinstance(item, Labels):
            return collector.labels(item.batch)
        if isinstance(item, Halves):
            for half in item.halves:
                collector.half(half, before)
        elif isinstance(item, Letters):
            for letter in item.letters:
                collector.dead_letter(letter)
        else:
            collector.exchange(item.exchange)
        return NONE

    def watch(self) -> None:
        """See whether the log fills; too slow to do for every event."""
        self._crowded = self._journal.waiting_bytes >= WATCHED_FROM * self._journal.limit_bytes

    @property
    def behind(self) -> bool:
        """The log holds frames that are not in memory."""
        return self._behind

    def resume(self) -> None:
        """Take up where the last process ended. StoreError when the store is away."""
        note = read(self._journal.note)
        self._collector.ledger.restore(note.counts)
        self._collector.remember(note.recent, REMEMBERED_ROWS)
        self._collector.look_after(note.left)
        self._taken, self._counted, self._backlog = Spans(note.taken), Spans(note.counted), Tally(note.backlog)
        self._newest = self._journal.newest
        for position, frame in self._journal.read(self._claimed):
            if position > self._taken.first:
                break
            self._take_waiting(frame, note)
            self._claimed = position

    def _take_waiting(self, frame: bytes, note: Note) -> None:
        """Of a frame that has found its end, the halves that still wait for their other half."""
        item = self._read(frame) if holds_halves(frame) else None
        for half in item.halves if isinstance(item, Halves) else ():
            if (known := mark(half)) in note.waiting:
                self._collector.waiting_half(half, self._claimed, known)

    def read_on(self) -> bool:
        """Take frames from the log while memory has room, for a moment; whether there was any."""
        if self._open or self._collector.half_full:
            return False
        until = time.monotonic() + READ_SECONDS
        before, end = self._claimed, self._journal.newest
        for position, frame in self._journal.read(self._claimed):
            self._take_read(position, self._read(frame))
            if self._collector.half_full or time.monotonic() > until:
                return True
        with self._lock:
            if self._journal.newest == end:
                self._catch_up(end)
        return self._claimed > before

    def _take_read(self, position: Position, item: Item) -> None:
        """Telling duplicates is slow, and calls wait for the lock; only this thread takes frames meanwhile."""
        told = None
        if isinstance(item, Rows) and position not in self._taken:
            told = self._collector.tell(item.batch, item.new)
        with self._lock:
            if position not in self._counted:
                self._count(item, None)
                self._counted.add(self._claimed, position)
            if position not in self._taken:
                self._hand_over(item, self._claimed, told)
                self._taken.add(self._claimed, position)
            self._claimed = position

    def _catch_up(self, end: Position) -> None:
        """From here on calls take their own frames. Rows that are still missing were in frames that are damaged."""
        self._behind = False
        for spans in (self._taken, self._counted):
            spans.add(self._claimed, end)
        self._claimed = max(self._claimed, end)
        self._backlog.clear()
        self._collector.caught_up()

    def _read(self, frame: bytes) -> Item:
        try:
            return read_frame(frame, self._decode)
        except Exception as error:
            return Letters([DeadLetter(self._clock(), "log", "unreadable_frame", _said(error), "", frame)])

    def entries(self) -> list[Entry]:
        """The ledger as it stands. For the thread that flushes."""
        with self._lock:
            in_flight = self._collector.in_flight()
            in_flight.update(self._backlog)
            return self._collector.ledger.entries(in_flight)

    def flush(self, everything: bool = False) -> None:
        """Store what was taken, and let the log forget it. StoreUnavailable leaves the rest for the next flush."""
        with self._lock:
            place, cut = self._place(), self._collector.cut()
        swept = self._collector.flush(everything)
        if not self._collector.late_rows:  # they are nowhere but in the log
            self._note(place, cut, swept)

    def _place(self) -> Place:
        return Place(self._taken.listed(), self._counted.listed(), Tally(self._backlog))

    def _note(self, place: Place, cut: Cut, swept: Swept) -> None:
        ended = {id(half) for half in (*swept.kept, *(one.half for one in swept.found))}
        waiting = [one for one in cut.waiting if id(one.half) not in ended]
        counts = self._collector.ledger.noted()
        note = Note(*place, [one.mark for one in waiting], cut.recent, counts, self._collector.left())
        self._journal.trim(min([place.taken[0][1], *(one.before for one in waiting)]), written(note))
        self._collector.noted()


def _is_large(item: Item) -> bool:
    return isinstance(item, Rows) and len(item.batch) > LARGE_ROWS


def _named(item: Item) -> dict[str, Any]:
    """Whose rows an item holds, for the letter that stands for them."""
    for line, rows in item.rows.items():
        return {"namespace": line.namespace, "model": line.model, "rows": rows}
    return {}


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
