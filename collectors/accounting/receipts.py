"""The events of one call to a tap, from their arrival to what became of each: in the ledger and in the metrics."""

from collections.abc import Callable

from collectors.accounting.ledger import OUTCOMES, Ledger, Line
from core.metrics import Metrics


class Receipts:
    """For the calls of one tap."""

    def __init__(self, ledger: Ledger, metrics: Metrics, tap: str) -> None:
        self.ledger, self.line = ledger, Line(tap)
        self.counters = {word: metrics.events.labels(tap, word) for word in OUTCOMES}

    def begin(self, logged: Callable[[], None] | None = None) -> "Receipt":
        """`logged` is called when the event is in the log."""
        return Receipt(self, logged)


class Receipt:
    """Begins with one event; every event finds its outcome before `close`."""

    def __init__(self, receipts: Receipts, logged: Callable[[], None] | None) -> None:
        self._receipts, self._left, self._logged = receipts, 1, logged
        receipts.ledger.begin(receipts.line, 1)

    def holds(self, events: int) -> None:
        """The call turned out to carry so many events."""
        if events == 1:
            return
        self._receipts.ledger.begin(self._receipts.line, events - 1)
        self._left += events - 1

    def became(self, word: str, events: int = 1) -> None:
        self._receipts.ledger.end(self._receipts.line, events, word)
        self._receipts.counters[word].inc(events)
        self._left -= events
        if self._logged and word == "accepted":
            self._logged()

    def rest(self, word: str) -> None:
        """What became of all events that have no outcome yet."""
        self.became(word, self._left)

    def counted(self, events: int) -> None:
        """They are accepted: they were read in the log, and counted, before this call heard that they are in it."""
        self._receipts.ledger.begin(self._receipts.line, -events)
        self._receipts.counters["accepted"].inc(events)
        self._left -= events

    def close(self) -> None:
        """What has no outcome shows as a difference in the ledger."""
        if self._left:
            self._receipts.ledger.end(self._receipts.line, self._left)
