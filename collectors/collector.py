"""Brings what was accepted to the sink: pairs halves, tells duplicates, builds columns, counts.

The receiving side (`half`, `exchange`, `rows`, `dead_letter`) only puts things on lists and returns in microseconds.
One thread empties them into the sink: `cut` says what belongs to the next flush, `flush` stores that.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import NamedTuple

import pyarrow as pa

from collectors.accepting.arrivals import Arrivals, Arrived
from collectors.accounting.ends import Ends
from collectors.accounting.ledger import Ledger, Tally, exchange_rows, half_rows, line_of, rows_of, tally
from collectors.accounting.note import Left
from collectors.building.builder import BUILT_AT_ONCE, Builder
from collectors.building.exchanges import Exchange, Group, Naming
from collectors.halves.orphans import Orphans
from collectors.halves.pairing import FOREVER, Pairing, Swept, Waiting
from collectors.halves.sweeping import Sweeper
from collectors.labels import labels_of
from collectors.labels.duplicates import LabelDuplicates
from collectors.labels.spool import LabelOutcomes, LabelSpool
from collectors.sampling.sampler import EVERYTHING, Sampling
from collectors.storing.duplicates import Duplicates, Told
from collectors.storing.recent import Seen
from collectors.storing.spool import ROWS_PER_INSERT, Outcomes, Spool
from core.metrics import Metrics
from core.protocols import START, Position, Sink
from core.records import DeadLetter, FieldInfo, Half, ModelKey

FORGET_MICROS = 60_000_000  # far longer than halves wait in memory

log = logging.getLogger("tidemark.collector")


@dataclass(frozen=True)
class Ports:
    """What a collector is wired to. `naming` knows the fields of a model; times are microseconds, those of
    `clock` since 1970.
    """

    sink: Sink
    pairing: Pairing
    naming: Callable[[ModelKey], Naming]
    metrics: Metrics
    clock: Callable[[], int]
    ledger: Ledger
    spool_bytes: int
    sampling: Sampling = EVERYTHING
    orphan_after: int = 60_000_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """How many rows were new, and how many had been sent before with the same content."""

    accepted: int
    duplicate: int

    def __add__(self, other: "Accepted") -> "Accepted":
        if not self.accepted and not self.duplicate:
            return other
        return Accepted(self.accepted + other.accepted, self.duplicate + other.duplicate)


class Cut(NamedTuple):
    """The halves that waited, and the marks of the newest that had come, when everything before went into a flush."""

    waiting: Sequence[Waiting]
    recent: Sequence[int]


class Collector:
    def __init__(self, ports: Ports) -> None:
        self._ports, self._metrics, self._pairing = ports, ports.metrics, ports.pairing
        self.ledger = ports.ledger
        self.lock = RLock()  # what is taken inside it is on one side of a `cut`
        self._arrivals = Arrivals(self.lock)
        self._duplicates = Duplicates(ports.metrics)
        self._ends = ends = Ends(ports.ledger, ports.metrics, lambda letter: self._spool.add_letter(letter))
        self._builder = Builder(ports.naming, self._duplicates, ports.ledger, ends.bury)
        self._spool = Spool(ports.sink, Outcomes(ends.stored, ends.refused))
        self._label_duplicates = LabelDuplicates()
        self._labels = LabelSpool(ports.sink.store_labels, LabelOutcomes(ends.stored_labels, ends.refused_labels))
        self._orphans = Orphans(self._pairing, ports.naming, ports.orphan_after)
        self._sweeper = Sweeper(self._pairing, self._orphans, ports.ledger, ports.metrics, ports.clock)
        self._known_fields: set[FieldInfo] = set()
        self._new_fields: set[FieldInfo] = set()
        self._catching_up = False  # the log may hold the other half of what is in the half store
        self._forget_at = 0  # when what was stored before a restart need not be told any more; 0 = not yet known
        self._oldest = 0  # when the oldest thing that is not stored was received; 0 = nothing waits

    @property
    def waiting_bytes(self) -> int:
        """Memory that everything takes which was accepted and is not stored."""
        return self._arrivals.bytes + self._builder.bytes + self._pairing.bytes + self._spool.bytes + self._labels.bytes

    @property
    def full(self) -> bool:
        """Memory takes nothing more for now."""
        return self.waiting_bytes >= self._ports.spool_bytes

    @property
    def late_rows(self) -> int:
        """Rows of old days that the last `flush` has held back."""
        return self._spool.late_rows

    @property
    def half_full(self) -> bool:
        return 2 * self.waiting_bytes >= self._ports.spool_bytes

    @property
    def fills_an_insert(self) -> bool:
        """So many rows have come that they need not wait for others."""
        return self._arrivals.rows + self._spool.rows >= ROWS_PER_INSERT

    def half(self, half: Half, before: Position = START) -> None:
        """A request or a response on its own, and the place in the log behind which its frame lies."""
        with self.lock:
            found = self._pairing.add(half, before)
            line = line_of(half)
            if isinstance(found, Exchange):
                other = found.response if found.request is half else found.request
                assert other is not None
                self._arrivals.exchange(found)
                if more := exchange_rows(found) - half_rows(other):
                    self.ledger.count(line, "accepted", more)
            elif found is Seen.DUPLICATE:
                self._metrics.duplicates.labels(line.namespace, line.model).inc()
            else:
                self.ledger.count(line, "accepted", half_rows(half))

    def waiting_half(self, half: Half, before: Position, mark: int) -> None:
        """A half that waited when a process ended, and that the ledger knows. Nothing else has come yet."""
        self._pairing.wait(half, before, mark)

    def exchange(self, exchange: Exchange) -> None:
        """A request with its response."""
        self._arrivals.exchange(exchange)

    def rows(self, batch: pa.RecordBatch, fields: Sequence[FieldInfo], new: bool = False) -> Accepted:
        """Rows of the schema PREDICTIONS; those sent before with the same content are left out.

        `new`: their ids were made here, so none of them can have been sent before.
        """
        return self.told_rows(self.tell(batch, new), fields)

    def tell(self, batch: pa.RecordBatch, new: bool) -> Told:
        """The slow part of `rows`: which of them have been sent before."""
        return Told(batch, Tally(), Tally()) if new else self._duplicates.told(batch)

    def told_rows(self, told: Told, fields: Sequence[FieldInfo]) -> Accepted:
        """The rest of it."""
        with self.lock:
            self.ledger.count_all(told.words())
            self._notice(fields)
            self._arrivals.batch(told.batch, self._ports.clock())
        return Accepted(len(told.batch), told.duplicate.total())

    def labels(self, batch: pa.RecordBatch) -> Accepted:
        """Labels of the schema LABELS; those sent before with the same value are left out."""
        told = self._label_duplicates.told(batch)
        with self.lock:
            self.ledger.count_all(told.words())
            self._arrivals.labels(told.batch)
        return Accepted(len(told.batch), told.duplicate.total())

    def dead_letter(self, letter: DeadLetter) -> None:
        """Something that was sent and could not be read."""
        self._metrics.dead_letters.labels(letter.reason).inc()
        self._arrivals.letter(letter.cut())

    def remember(self, marks: Sequence[int], rows: int) -> None:
        """What came before a restart, so that it is known when it is sent again. StoreError when the store is away."""
        self._pairing.remember(marks)
        self._duplicates.remember(self._ports.sink.newest(rows))

    def look_after(self, left: Left) -> None:
        """What a process has left in the half store, before `caught_up`. StoreError when the store is away."""
        self._catching_up = True
        waiting = self._orphans.resume(*left.looked)
        self._pairing.complete_noted(left.completing)
        self._pairing.look_out(waiting)

    def left(self) -> Left:
        """For `look_after` when this process has ended."""
        return Left(self._orphans.looked(self._ports.clock()), self._pairing.completing)

    def caught_up(self) -> None:
        """Everything that was in the log at a restart has been taken; halves of it may pair in a while."""
        self._catching_up = False
        self._forget_at = self._forget_at or self._ports.clock() + FORGET_MICROS

    def in_flight(self) -> Tally:
        """The rows that were accepted and have not found their end. For the thread that flushes."""
        with self.lock:
            arrived, waiting = self._arrivals.look(), [one.half for one in self._pairing.waiting()]
        held = tally((line_of(half), half_rows(half)) for half in waiting)
        held.update(tally((line_of(e.first), exchange_rows(e)) for e in (*arrived.exchanges, *self._builder.waiting)))
        for batch in (*arrived.batches, *self._spool.batches):
            held.update(rows_of(batch))
        for batch in (*arrived.labels, *self._labels.batches):
            held.update(labels_of(batch))
        return held

    def cut(self) -> Cut:
        """What has come until now belongs to the next flush."""
        with self.lock:
            arrived = self._arrivals.take()
            self.ledger.cut()
            cut = Cut(self._pairing.waiting(), self._pairing.remembered())
        self._take(arrived)
        return cut

    def build(self) -> None:
        """Make rows of some exchanges before the flush needs them."""
        self._take(self._arrivals.take(BUILT_AT_ONCE))
        self._builder.build(self._put)

    def flush(self, everything: bool = False) -> Swept:
        """Store what came before the last `cut`. StoreUnavailable leaves what is not stored for the next flush."""
        now = self._ports.clock()
        self._oldest = self._oldest or self._arrivals.oldest()
        self._metrics.lag.set((now - self._oldest) / 1e6 if self._oldest else 0)
        try:
            self._store(now, everything)
            swept = self._sweep(now, everything)
            self._store_fields()
            if 0 < self._forget_at <= now:
                self._duplicates.forget()
        finally:
            self._metrics.waiting_halves.set(len(self._pairing) + len(self._orphans))
        self._oldest = 0
        return swept

    def noted(self) -> None:
        """The log's note knows of the last flush."""
        self._pairing.settle()

    def close(self) -> None:
        """Store everything received, halves without partner included. Call it when no tap receives any more."""
        self.cut()
        self.flush(everything=True)
        self.noted()

    def _take(self, arrived: Arrived) -> None:
        self._builder.add(arrived.exchanges)
        for batch in arrived.batches:
            self._keep(batch)
        for labels in arrived.labels:
            self._labels.add(labels)
        for letter in arrived.letters:
            self._spool.add_letter(letter)

    def _store(self, now: int, everything: bool) -> None:
        self._builder.build(self._put)
        self._spool.drain(now, everything)
        self._labels.drain()
        self._spool.drain_letters()  # of labels that were refused: the log may forget them when this returns

    def _put(self, group: Group) -> None:
        self._keep(group.batch)
        self._notice(group.fields)

    def _keep(self, batch: pa.RecordBatch) -> None:
        """Those rows that are to be stored."""
        sampled = self._ports.sampling.kept(batch)
        self._ends.sampled(sampled.dropped)
        self._spool.add(sampled.kept)

    def _sweep(self, now: int, everything: bool) -> Swept:
        swept = self._sweeper.sweep(FOREVER if everything else now)
        if swept.found:
            self._builder.add(one.exchange for one in swept.found)
            self._store(now, everything)
        if not self._catching_up:
            self._sweeper.judge()
        return swept

    def _notice(self, fields: Sequence[FieldInfo]) -> None:
        with self.lock:
            self._new_fields |= set(fields) - self._known_fields

    def _store_fields(self) -> None:
        if new := set(self._new_fields):
            self._ports.sink.store_fields(new)
            with self.lock:
                self._known_fields |= new
                self._new_fields -= new
