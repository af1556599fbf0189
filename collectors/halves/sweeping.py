"""Halves that have waited long enough: to the half store, paired with what is there, or judged to be orphans."""

from collections.abc import Callable, Sequence

from collectors.accounting.ledger import Ledger, Tally, exchange_rows, half_rows, line_of, tally
from collectors.halves.orphans import Orphans, count_orphans
from collectors.halves.pairing import Pairing, Swept
from core.metrics import Metrics
from core.records import Half


class Sweeper:
    """Counts what it does. For the thread that flushes; `clock` gives microseconds since 1970."""

    def __init__(
        self, pairing: Pairing, orphans: Orphans, ledger: Ledger, metrics: Metrics, clock: Callable[[], int]
    ) -> None:
        self._pairing, self._orphans, self._ledger = pairing, orphans, ledger
        self._metrics, self._clock = metrics, clock

    def sweep(self, now: int) -> Swept:
        """StoreUnavailable leaves everything as it is. The exchanges found are still to be stored."""
        swept = self._pairing.sweep(now)
        self._ledger.settle(_rows_of(swept.kept), "orphans")
        self._orphans.watch(half.id for half in swept.kept)
        if swept.found:
            self._count_found(swept)
        return swept

    def judge(self) -> None:
        """Look once more for what has waited for `orphan_after`."""
        while judged := self._orphans.judge(self._clock()):
            count_orphans(judged.orphans, self._metrics)
            self._sent_again(judged.again)
            self._pairing.end(judged.again)

    def _count_found(self, swept: Swept) -> None:
        """The partner was counted as an orphan, by whichever collector kept it; its rows are accepted here."""
        partners = _rows_of([one.partner for one in swept.found])
        self._ledger.settle(partners, "orphans", -1)
        self._ledger.settle(partners, "accepted", -1)
        more = tally((line_of(one.half), exchange_rows(one.exchange) - half_rows(one.half)) for one in swept.found)
        self._ledger.settle(more, "accepted")
        self._sent_again([half for one in swept.found for half in one.again])
        self._orphans.forget(half.id for one in swept.found for half in (one.partner, *one.again))

    def _sent_again(self, halves: Sequence[Half]) -> None:
        """Duplicates that came to another collector than the first: as those that came to the same, they count not."""
        for half in halves:
            self._metrics.duplicates.labels(half.key.namespace, half.key.model).inc()
        self._ledger.settle(_rows_of(halves), "orphans", -1)
        self._ledger.settle(_rows_of(halves), "accepted", -1)


def _rows_of(halves: Sequence[Half]) -> Tally:
    return tally((line_of(half), half_rows(half)) for half in halves)
