"""What became of everything that was received, so that nothing can vanish unseen. Two identities hold at any moment:

events, for each tap: received = accepted + rejected + shed + error + in progress
rows, for each tap and model: accepted = stored + duplicate + conflict + sampled + dead-lettered + orphans + in flight

Each side is counted where it happens, the other side elsewhere: a difference means that something was lost or doubled.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple

import pyarrow as pa

from collectors.building.exchanges import Exchange
from collectors.building.fields import row_count
from core.records import Half

OUTCOMES = ("accepted", "rejected", "shed", "error")
SETTLED = ("stored", "duplicate", "conflict", "sampled", "dead_lettered", "orphans")
_GROUP = ["source", "namespace", "model"]


class Line(NamedTuple):
    """What is counted together: the rows of a model that came through one tap, or the events of a tap."""

    tap: str
    namespace: str = ""
    model: str = ""


Tally = Counter[Line]
Counts = Counter[tuple[Line, str]]


class Entry(NamedTuple):
    """One line of the ledger; `difference` is what its identity misses, 0 when all is well."""

    line: Line
    unit: str
    counts: Mapping[str, int]
    difference: int

    def shown(self) -> dict[str, Any]:
        return {**self.line._asdict(), "unit": self.unit, **self.counts, "difference": self.difference}


class Ledger:
    """Counts in two layers: `settled` belongs to the note that goes into the log next, the rest to the one after.

    Any thread may count.
    """

    def __init__(self) -> None:
        self._settled, self._since = Counts(), Counts()
        self._open = Tally()
        self._lock = Lock()

    def restore(self, counts: Counts) -> None:
        """Begin with what a note says."""
        with self._lock:
            self._settled.update(counts)
            for (line, word), count in counts.items():
                if word in OUTCOMES and not line.model:
                    self._settled[line, "received"] += count

    def count(self, line: Line, word: str, count: int = 1) -> None:
        """Something happened now."""
        with self._lock:
            self._since[line, word] += count

    def count_all(self, words: Mapping[str, Tally]) -> None:
        with self._lock:
            for word, rows in words.items():
                _add(self._since, rows, word)

    def settle(self, rows: Tally, word: str, sign: int = 1) -> None:
        """Rows that came before the last `cut` have found their end."""
        with self._lock:
            _add(self._settled, rows, word, sign)

    def settle_all(self, words: Mapping[str, Tally]) -> None:
        with self._lock:
            for word, rows in words.items():
                _add(self._settled, rows, word)

    def cut(self) -> None:
        """What has been counted until now belongs to the next note."""
        with self._lock:
            self._settled.update(self._since)
            self._since.clear()

    def noted(self) -> Counts:
        """For a note. An event in progress is forgotten with the process: its sender was told nothing."""
        with self._lock:
            return Counts({(line, word): n for (line, word), n in self._settled.items() if word != "received"})

    def entries(self, in_flight: Tally) -> list[Entry]:
        """All lines; `in_flight` is what the collector holds."""
        with self._lock:
            total, in_progress = Counts(self._settled), Counter(self._open)
            total.update(self._since)
        lines: dict[Line, dict[str, int]] = {line: {} for line in in_flight}
        for (line, word), count in total.items():
            lines.setdefault(line, {})[word] = count
        return [
            _rows_entry(line, found, in_flight[line]) if line.model else _events_entry(line, found, in_progress[line])
            for line, found in sorted(lines.items())
        ]

    def brought_in(self, line: Line, rows: int) -> None:
        """Rows of a dead letter are stored after all."""
        self.count(line, "dead_lettered", -rows)
        self.count(line, "stored", rows)

    def accepted_before(self, tap: str, events: int) -> None:
        """Events that are read in the log, and that the note does not know."""
        with self._lock:
            self._since[Line(tap), "received"] += events
            self._since[Line(tap), "accepted"] += events

    def begin(self, line: Line, events: int) -> None:
        """Events are received; `end` is called for each of them."""
        with self._lock:
            self._since[line, "received"] += events
            self._open[line] += events

    def end(self, line: Line, events: int, word: str = "") -> None:
        """Without an outcome they show as a difference."""
        with self._lock:
            self._open[line] -= events
            if word:
                self._since[line, word] += events


def tally(counted: Iterable[tuple[Line, int]]) -> Tally:
    """The sum for each line, negative ones too."""
    found = Tally()
    for line, count in counted:
        found[line] += count
    return found


def counts_of(noted: Iterable[list[Any]]) -> Counts:
    return Counts({(Line(*line), word): count for *line, word, count in noted})


def rows_of(batch: pa.RecordBatch) -> Tally:
    """How many rows of a batch of the schema PREDICTIONS belong to each line."""
    found = pa.table({name: batch.column(name) for name in _GROUP}).group_by(_GROUP).aggregate([([], "count_all")])
    columns = [found.column(name).to_pylist() for name in (*_GROUP, "count_all")]
    return Tally({Line(*line): count for *line, count in zip(*columns, strict=True)})


def exchange_rows(exchange: Exchange) -> int:
    """As `collectors.building.exchanges` makes them: an inference of no rows is one."""
    inputs = exchange.request.payload.tensors if exchange.request else ()
    outputs = exchange.response.payload.tensors if exchange.response else ()
    return max(1, row_count(inputs or outputs))


def half_rows(half: Half) -> int:
    return max(1, row_count(half.payload.tensors))


def line_of(half: Half) -> Line:
    return Line(half.source, half.key.namespace, half.key.model)


def _add(counts: Counts, rows: Tally, word: str, sign: int = 1) -> None:
    for line, count in rows.items():
        counts[line, word] += sign * count


def _rows_entry(line: Line, found: Mapping[str, int], in_flight: int) -> Entry:
    counts = {word: found.get(word, 0) for word in ("accepted", *SETTLED)} | {"in_flight": in_flight}
    return Entry(line, "row", counts, counts["accepted"] - sum(counts[word] for word in (*SETTLED, "in_flight")))


def _events_entry(line: Line, found: Mapping[str, int], in_progress: int) -> Entry:
    counts = {word: found.get(word, 0) for word in ("received", *OUTCOMES)} | {"in_progress": in_progress}
    return Entry(line, "event", counts, counts["received"] - sum(counts[word] for word in (*OUTCOMES, "in_progress")))
