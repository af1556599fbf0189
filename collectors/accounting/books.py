"""The ledger for those who read it: kept up to date, checked, exported, and stored once a minute."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from collectors.accounting.ledger import Entry, Line
from core.metrics import Metrics
from core.protocols import Sink

STORE_MICROS = 60_000_000

log = logging.getLogger("tidemark.ledger")


class Books:
    """`entries` gives the ledger as it stands, `collector` tells it from those of others over the same store."""

    def __init__(
        self, entries: Callable[[], list[Entry]], sink: Sink, metrics: Metrics, clock: Callable[[], int], collector: str
    ) -> None:
        self._read, self._sink, self._metrics, self._clock = entries, sink, metrics, clock
        self.collector = collector
        self.entries: Sequence[Entry] = ()
        self.at = datetime.fromtimestamp(0, UTC)
        self._stored: Sequence[Entry] = ()
        self._stored_at = 0
        self._wrong: dict[tuple[Line, str], int] = {}

    def balance(self) -> None:
        """Take the ledger as it stands, and complain of what does not add up."""
        self.entries, now = self._read(), self._clock()
        self.at = datetime.fromtimestamp(now / 1e6, UTC)
        for unit in ("event", "row"):
            difference = sum(abs(entry.difference) for entry in self.entries if entry.unit == unit)
            self._metrics.ledger_difference.labels(unit).set(difference)
        self._complain()
        if now - self._stored_at >= STORE_MICROS:
            self.store()
            self._stored_at = now

    def _complain(self) -> None:
        wrong = {(entry.line, entry.unit): entry.difference for entry in self.entries if entry.difference}
        for (line, unit), difference in wrong.items() - self._wrong.items():
            log.error("the ledger does not add up: %d %ss are missing", difference, unit, extra=line._asdict())
        self._wrong = wrong

    def store(self) -> None:
        """StoreUnavailable when the store is away; the counts are in the log's note as well."""
        if self.entries != self._stored:
            self._sink.store_ledger(self.collector, [entry.shown() for entry in self.entries])
            self._stored = self.entries
