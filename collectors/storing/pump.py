"""The thread between the taps and the store: builds what came, stores it about once a second, keeps the books."""

import logging
import time
from threading import Event

from collectors.accepting.intake import Intake
from collectors.accounting.books import Books
from collectors.collector import Collector
from core.errors import StoreUnavailable
from core.priority import give_way

FLUSH_SECONDS = 1.0  # so that each table gets about one part a second
BUILD_SECONDS = 0.3  # what came since is built in a few milliseconds, in which the taps take turns with it

DRAIN_SECONDS = 5.0  # how long a stop may go on reading a backlog: what is in the log is kept anyway
AWAY_SECONDS = 10.0  # how often to balance the books while the store is away: all that waits is counted then

log = logging.getLogger("tidemark.collector")


class Pump:
    def __init__(self, intake: Intake, collector: Collector, books: Books) -> None:
        self._intake, self._collector, self._books = intake, collector, books
        self._due = self._balanced = 0.0  # when to flush, and what that was at the last balance, by the monotonic clock
        self._away_until = 0.0  # what comes is built as often as ever: a second's at once would keep the taps waiting

    def run(self, stop: Event) -> None:
        """Until `stop` is set."""
        give_way()
        while not stop.is_set():
            try:
                if self._turn():
                    stop.wait(BUILD_SECONDS)
            except StoreUnavailable as error:
                if not self._away_until:
                    log.warning("the store cannot be reached; what comes is kept until it is back: %s", error)
                self._away_until = time.monotonic() + FLUSH_SECONDS
            except Exception:
                log.exception("what came could not be stored; it is kept and tried again")
                stop.wait(FLUSH_SECONDS)

    def close(self) -> None:
        """Store everything that was taken, halves without partner included, and for a while what the log still holds.

        Call it when no tap receives any more. StoreUnavailable leaves the rest in the log, where it is safe.
        """
        until = time.monotonic() + DRAIN_SECONDS
        try:
            while self._intake.behind and time.monotonic() < until:
                self._flush()
                self._intake.read_on()
            self._flush(everything=True)
        finally:
            self._books.store()

    def _turn(self) -> bool:
        """Whether there is nothing more to do for now."""
        self._collector.build()
        self._intake.watch()
        if time.monotonic() < self._away_until:
            return True
        more = self._intake.behind and self._intake.read_on()
        if more or self._collector.fills_an_insert or time.monotonic() >= self._due:
            self._flush()
        if self._intake.behind and self._collector.half_full:
            self._flush(everything=True)  # halves that wait are what keeps the log from being read
        return not more

    def _flush(self, everything: bool = False) -> None:
        self._due = time.monotonic() + FLUSH_SECONDS
        try:
            self._intake.flush(everything)
        except StoreUnavailable:
            if self._due >= self._balanced + AWAY_SECONDS:
                self._balance()
            raise
        if self._away_until:
            log.info("the store is back: what was kept is being stored")
            self._away_until = 0.0
        self._balance()

    def _balance(self) -> None:
        self._balanced = self._due
        self._books.balance()
