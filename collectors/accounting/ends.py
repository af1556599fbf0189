"""Where rows and labels find their end: each is settled in the ledger and counted in the metrics there."""

from collections.abc import Callable

import pyarrow as pa

from collectors.accounting.counting import count_labels, count_sampled, count_stored
from collectors.accounting.ledger import Ledger, Line, Tally, rows_of
from collectors.labels import label_line, labels_of
from core.metrics import Metrics
from core.records import DeadLetter


class Ends:
    """`keep` takes the letters that are to be stored."""

    def __init__(self, ledger: Ledger, metrics: Metrics, keep: Callable[[DeadLetter], None]) -> None:
        self._ledger, self._metrics, self._keep = ledger, metrics, keep

    def stored(self, batch: pa.RecordBatch) -> None:
        count_stored(batch, self._metrics)
        self._ledger.settle(rows_of(batch), "stored")

    def stored_labels(self, batch: pa.RecordBatch) -> None:
        count_labels(batch, self._metrics)
        self._ledger.settle(labels_of(batch), "stored")

    def sampled(self, batch: pa.RecordBatch) -> None:
        """Rows that are left out on purpose."""
        if len(batch):
            count_sampled(batch, self._metrics)
            self._ledger.settle(rows_of(batch), "sampled")

    def refused(self, letter: DeadLetter, rows: int) -> None:
        self._ledger.settle(Tally({Line(letter.source, letter.namespace, letter.model): rows}), "dead_lettered")
        self.bury(letter)

    def refused_labels(self, letter: DeadLetter) -> None:
        self._ledger.settle(Tally({label_line(letter.namespace, letter.model): letter.rows}), "dead_lettered")
        self.bury(letter)

    def bury(self, letter: DeadLetter) -> None:
        """What could not be read or stored."""
        self._metrics.dead_letters.labels(letter.reason).inc()
        self._keep(letter.cut())
