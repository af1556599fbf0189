"""Exchanges to rows that wait for their insert, a few at a time: the taps share the interpreter with this thread."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence

from collectors.accepting.arrivals import exchange_bytes
from collectors.accepting.items import Called, Halves
from collectors.accepting.journal import frames_of
from collectors.accounting.ledger import Ledger, Tally, exchange_rows, line_of
from collectors.building.exchanges import Exchange, Group, Naming, to_rows
from collectors.storing.duplicates import Duplicates
from core.records import DeadLetter, ModelKey

BUILT_AT_ONCE = 1024  # five milliseconds; a few of them cost as much as sixty

log = logging.getLogger("tidemark.collector")


class Builder:
    """For one thread. What cannot be built goes to `bury`."""

    def __init__(
        self,
        naming: Callable[[ModelKey], Naming],
        duplicates: Duplicates,
        ledger: Ledger,
        bury: Callable[[DeadLetter], None],
    ) -> None:
        self._naming, self._duplicates, self._ledger, self._bury = naming, duplicates, ledger, bury
        self.waiting: list[Exchange] = []
        self.bytes = 0

    def add(self, exchanges: Iterable[Exchange]) -> None:
        for exchange in exchanges:
            self.waiting.append(exchange)
            self.bytes += exchange_bytes(exchange)

    def build(self, put: Callable[[Group], None]) -> None:
        """Hand all that waits to `put`, without the rows that were sent before."""
        while some := self.waiting[:BUILT_AT_ONCE]:
            for group in self._built(some):
                told = self._duplicates.told(group.batch)
                self._ledger.settle_all(told.words())
                put(group._replace(batch=told.batch))
            del self.waiting[: len(some)]
            self.bytes -= sum(map(exchange_bytes, some))
            time.sleep(0)

    def _built(self, exchanges: list[Exchange]) -> list[Group]:
        """One exchange that cannot be built must not cost its neighbours."""
        try:
            return to_rows(exchanges, self._naming)
        except Exception:
            log.exception("%d exchanges could not be built together; each is tried alone", len(exchanges))
        return [group for exchange in exchanges for group in self._built_alone(exchange)]

    def _built_alone(self, exchange: Exchange) -> Sequence[Group]:
        try:
            return to_rows([exchange], self._naming)
        except Exception as error:
            self._ledger.settle(Tally({line_of(exchange.first): exchange_rows(exchange)}), "dead_lettered")
            self._bury(_unbuilt(exchange, f"{type(error).__name__}: {error}"))
            return []


def _unbuilt(exchange: Exchange, detail: str) -> DeadLetter:
    """Both halves as the log has them, so that a replay can build them again."""
    first = exchange.first
    ((_, frame),) = frames_of(Called(exchange) if all(exchange) else Halves([first]))
    why = ("internal", detail, "")
    rows = exchange_rows(exchange)
    return DeadLetter(first.received, first.source, *why, frame, *first.key, first.headers, rows=rows)
