"""The role that collects: the taps, the log, and the thread that stores what they receive."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Event, Thread

from collectors import collector
from collectors.accepting.intake import Intake
from collectors.accepting.into import Into
from collectors.accounting.books import Books
from collectors.accounting.ledger import Ledger
from collectors.accounting.receipts import Receipts
from collectors.building.naming import Names
from collectors.collector import Collector
from collectors.halves.pairing import Pairing
from collectors.labels import TAP
from collectors.labels.ids import Lookup
from collectors.masking.masks import Masks
from collectors.replaying import replay
from collectors.replaying.call_again import MakeTap
from collectors.replaying.replay import Replay
from collectors.sampling.sampler import Sampling
from collectors.storing.pump import Pump
from collectors.taps import events, labels, rows
from collectors.taps.events import EventsTap, decoded_again
from collectors.taps.labels import LabelsTap
from collectors.taps.ports import Ports
from collectors.taps.proxy import Proxied, Taps
from collectors.taps.recording import Recorder
from collectors.taps.rows import RowsTap
from core.errors import Rejected, StoreError
from core.log import withhold_values
from core.records import DeadLetter
from storage.delivery.halves import StoreHalves
from storage.delivery.journal import StoreJournal
from storage.delivery.sink import StoreSink
from storage.lookup.dead_letters import keep_replay
from storage.lookup.labels import StoredIds
from storage.wal import Log
from tidemark.app import ASGI
from tidemark.roles import Shared, now_micros

log = logging.getLogger("tidemark")


class Collecting:
    def __init__(self, shared: Shared, wal: Log) -> None:
        config, metrics = shared.config, shared.metrics
        self._shared, self._ledger, self.names = shared, Ledger(), Names(config)
        decode = partial(decoded_again, limits=config.limits)
        journal = StoreJournal(wal)
        halves = StoreHalves(shared.engine, journal.identity)
        pairing = Pairing(halves, decode, started=now_micros())
        sink, room = StoreSink(shared.engine), config.limits.spool_bytes
        sampling = Sampling(config)
        ports = collector.Ports(sink, pairing, self.names, metrics, now_micros, self._ledger, room, sampling)
        orphan_after = config.pairing.orphan_after // timedelta(microseconds=1)
        self._collecting = Collector(replace(ports, orphan_after=orphan_after))
        self._intake = Intake(journal, self._collecting, decode, now_micros)
        self.books = Books(self._intake.entries, sink, metrics, now_micros, journal.identity)
        self._pump = Pump(self._intake, self._collecting, self.books)
        self._stop = Event()
        self._thread = Thread(target=self._pump.run, args=(self._stop,), name="collector")

        self._masks = Masks(config.masking, self.names)
        if self._masks.on:
            withhold_values()
        taps = self._made_taps()
        self.events, self.rows, self.labels = (make(self._intake, now_micros) for make in taps.values())
        recorder = Recorder(self._intake, config.limits, self._masks)
        self.taps = Taps(Proxied(config, recorder, self.names, metrics, self._ledger, now_micros))
        kept = partial(keep_replay, shared.engine)
        self.replay = Replay(
            replay.Ports(self._intake, taps, sink, self.names, decode, metrics, kept, self._ledger, now_micros)
        )
        metrics.log_limit_bytes.set(wal.most_bytes)
        metrics.log_bytes.set_function(lambda: wal.counters().bytes)
        metrics.log_damaged_bytes.set_function(lambda: wal.counters().damaged.bytes)

    def _made_taps(self) -> dict[str, MakeTap]:
        """Whatever answers at a path, for calls that come and for dead letters that are replayed."""
        limits, receipts = self._shared.config.limits, self._receipts

        def made_events(into: Into, clock: Callable[[], int]) -> ASGI:
            return EventsTap(Ports(into, receipts(events.SOURCE), limits, clock, self._masks))

        def made_rows(into: Into, clock: Callable[[], int]) -> ASGI:
            return RowsTap(Ports(into, receipts(rows.SOURCE), limits, clock, self._masks), self.names)

        lookup = Lookup(StoredIds(self._shared.engine))

        def made_labels(into: Into, clock: Callable[[], int]) -> ASGI:
            return LabelsTap(Ports(into, receipts(TAP), limits, clock, self._masks), lookup)

        return {events.PATH: made_events, rows.PATH: made_rows, labels.PATH: made_labels}

    def _receipts(self, tap: str) -> Receipts:
        return Receipts(self._ledger, self._shared.metrics, tap)

    def shed(self, tap: str) -> None:
        """One call of a tap was refused because there were too many at once."""
        receipt = self._receipts(tap).begin()
        receipt.rest("shed")

    def refused(self, error: Rejected) -> None:
        """A head that was too long to be looked at: nothing of it is kept, as nothing in it was masked."""
        self._collecting.dead_letter(DeadLetter(now_micros(), "http", error.code, error.detail, error.field, b""))

    async def start(self) -> None:
        """What a crash left in the log is taken up from here on, before what comes now."""
        await asyncio.to_thread(self._intake.resume)
        self._thread.start()

    async def stop(self) -> None:
        """Everything received is stored before this returns; the server has stopped taking calls."""
        await self.taps.close()
        self._stop.set()
        await asyncio.to_thread(self._drain)

    def _drain(self) -> None:
        self._thread.join()
        try:
            self._pump.close()
        except StoreError as error:
            log.error(
                "the store cannot be reached: what is not stored stays in the log until the next start: %s", error
            )
