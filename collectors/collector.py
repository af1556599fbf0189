"""Takes what the taps receive and brings it to the sink: pairs halves, tells duplicates, builds columns, counts.

The receiving side (`half`, `exchange`, `rows`, `dead_letter`) only puts things on lists and returns in microseconds;
one thread in `run` empties them into the sink about once a second.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import NamedTuple

import pyarrow as pa

from collectors.counting import count_stored
from collectors.duplicates import Duplicates
from collectors.exchanges import Exchange, Group, Naming, to_rows
from collectors.masking.masks import NO_MASKS, Masks
from collectors.pairing import FOREVER, Pairing, half_bytes
from collectors.recent import Seen
from collectors.spool import ROWS_PER_INSERT, Outcomes, Spool
from core.errors import StoreUnavailable
from core.metrics import Metrics
from core.protocols import Journal, Sink
from core.records import DeadLetter, FieldInfo, Half, ModelKey

FLUSH_SECONDS = 1.0  # so that each table gets about one part a second
SLACK_MICROS = 1_000_000  # a clock may step back between receiving a half and handing it over

log = logging.getLogger("tidemark.collector")


@dataclass(frozen=True)
class Ports:
    """What a collector is wired to. `naming` knows the fields of a model; `clock` gives microseconds since 1970."""

    sink: Sink
    journal: Journal
    pairing: Pairing
    naming: Callable[[ModelKey], Naming]
    metrics: Metrics
    clock: Callable[[], int]
    spool_bytes: int


@dataclass(frozen=True)
class Accepted:
    """How many rows were new, and how many had been sent before with the same content."""

    accepted: int
    duplicate: int


class Into(NamedTuple):
    """Where a tap brings what it accepts: through the masks, into the journal, then to the collector."""

    collector: "Collector"
    journal: Journal
    masks: Masks = NO_MASKS


class Collector:
    def __init__(self, ports: Ports) -> None:
        self._ports, self._metrics, self._pairing = ports, ports.metrics, ports.pairing
        outcomes = Outcomes(lambda batch: count_stored(batch, ports.metrics), self.dead_letter)
        self._spool = Spool(ports.sink, ports.spool_bytes, outcomes)
        self._exchanges: list[Exchange] = []
        self._exchange_bytes = 0
        self._flushed = 0  # when the last flush that stored everything began
        self._oldest = 0  # when the oldest thing not stored yet was received; 0 = nothing waits
        self._duplicates = Duplicates(ports.metrics)
        self._known_fields: set[FieldInfo] = set()
        self._new_fields: set[FieldInfo] = set()
        self._lock = Lock()
        self._wake = Event()

    @property
    def waiting_bytes(self) -> int:
        """Memory that everything takes which was accepted and is not stored."""
        return self._exchange_bytes + self._pairing.bytes + self._spool.bytes

    def check_room(self) -> None:
        """Overloaded when nothing more can be taken for now."""
        self._spool.check_room(self._exchange_bytes + self._pairing.bytes)

    def half(self, half: Half) -> None:
        """A request or a response on its own. Overloaded when there is no room."""
        self.check_room()
        result = self._pairing.add(half)
        if isinstance(result, Exchange):
            self.exchange(result)
        elif result is Seen.DUPLICATE:
            self._metrics.duplicates.labels(half.key.namespace, half.key.model).inc()

    def exchange(self, exchange: Exchange) -> None:
        """A request with its response."""
        size = sum(half_bytes(half) for half in exchange if half is not None)
        with self._lock:
            self._exchanges.append(exchange)
            self._exchange_bytes += size
            self._oldest = self._oldest or exchange.first.received

    def rows(self, batch: pa.RecordBatch, fields: Sequence[FieldInfo], new: bool = False) -> Accepted:
        """Rows of the schema PREDICTIONS; those sent before with the same content are left out.

        `new`: their ids were made here, so none of them can have been sent before.
        """
        self.check_room()
        fresh = batch if new else self._duplicates.left_out(batch)
        self._notice(fields)
        self._spool.add(fresh)
        self._oldest = self._oldest or self._ports.clock()
        if self._spool.rows >= ROWS_PER_INSERT:
            self._wake.set()
        return Accepted(len(fresh), len(batch) - len(fresh))

    def dead_letter(self, letter: DeadLetter) -> None:
        """Something that was sent and could not be read."""
        self._metrics.dead_letters.labels(letter.reason).inc()
        self._spool.add_letter(letter.cut())

    def run(self, stop: Event) -> None:
        """Flush about once a second until `stop` is set."""
        while not stop.is_set():
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            try:
                self.flush()
            except StoreUnavailable as error:
                log.warning("the store cannot be reached; what came is kept and tried again: %s", error)
                stop.wait(FLUSH_SECONDS)
            except Exception:
                log.exception("what came could not be stored; it is kept and tried again")
                stop.wait(FLUSH_SECONDS)

    def wake(self) -> None:
        """Let `run` look at `stop` and at what has come, now."""
        self._wake.set()

    def close(self) -> None:
        """Store everything received, halves without partner included. Call it when no tap receives any more."""
        self._flush(FOREVER)
        self._flush(FOREVER)  # those whose partner the first one found in the store

    def flush(self) -> None:
        """Store what has come so far. StoreUnavailable leaves what is not stored for the next flush."""
        self._flush(self._ports.clock())

    def _flush(self, now: int) -> None:
        with self._lock:
            oldest, self._oldest = self._oldest, 0
        self._metrics.lag.set((self._ports.clock() - oldest) / 1e6 if oldest else 0)
        try:
            self._build()
            self._spool.drain()
            self._pairing.settle()
            for completed in self._pairing.sweep(now):
                self.exchange(completed)
            self._store_fields()
        except Exception:
            self._oldest = oldest
            raise
        finally:
            self._metrics.waiting_halves.set(len(self._pairing))
        self._tell_journal(now)

    def _tell_journal(self, now: int) -> None:
        """Pairs that the last flush found in the store are rows since this one, and halves were kept if they waited."""
        self._ports.journal.stored(self._flushed - self._pairing.patience - SLACK_MICROS)
        self._flushed = now

    def _build(self) -> None:
        """Exchanges to rows in the spool."""
        with self._lock:
            exchanges, self._exchanges = self._exchanges, []
            self._exchange_bytes = 0
        for group in self._built(exchanges):
            self._spool.add(self._duplicates.left_out(group.batch))
            self._notice(group.fields)

    def _built(self, exchanges: list[Exchange]) -> list[Group]:
        """One exchange that cannot be built must not cost its neighbours."""
        try:
            return to_rows(exchanges, self._ports.naming)
        except Exception:
            log.exception("%d exchanges could not be built together; each is tried alone", len(exchanges))
        return [group for exchange in exchanges for group in self._built_alone(exchange)]

    def _built_alone(self, exchange: Exchange) -> list[Group]:
        try:
            return to_rows([exchange], self._ports.naming)
        except Exception as error:
            for half in (exchange.request, exchange.response):
                if half is not None:
                    self.dead_letter(_unreadable(half, f"{type(error).__name__}: {error}"))
            return []

    def _notice(self, fields: Sequence[FieldInfo]) -> None:
        with self._lock:
            self._new_fields |= set(fields) - self._known_fields

    def _store_fields(self) -> None:
        if new := set(self._new_fields):
            self._ports.sink.store_fields(new)
            with self._lock:
                self._known_fields |= new
                self._new_fields -= new


def _unreadable(half: Half, detail: str) -> DeadLetter:
    return DeadLetter(half.received, half.source, "internal", detail, "", half.body, *half.key, half.headers)
