"""What taps accept, one thing for each frame of the log: what it holds, and how it counts in the ledger.

`events` is how many events the sender was told are accepted with it, `rows` the predictions among them: halves are
predictions only when they have paired.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from collectors.accounting.ledger import Tally, exchange_rows, line_of, rows_of
from collectors.building.exchanges import Exchange
from collectors.labels import TAP, labels_of
from core.records import DeadLetter, FieldInfo, Half

NO_ROWS = Tally()


class Halves(NamedTuple):
    """Requests and responses that came each on its own, at least one."""

    halves: Sequence[Half]

    @property
    def tap(self) -> str:
        return self.halves[0].source

    @property
    def events(self) -> int:
        return len(self.halves)

    @property
    def rows(self) -> Tally:
        return NO_ROWS

    @property
    def namespaces(self) -> set[str]:
        return {half.key.namespace for half in self.halves}


class Called(NamedTuple):
    """An inference with its request and its response."""

    exchange: Exchange

    @property
    def tap(self) -> str:
        return self.exchange.first.source

    @property
    def events(self) -> int:
        return 1

    @property
    def rows(self) -> Tally:
        return Tally({line_of(self.exchange.first): exchange_rows(self.exchange)})

    @property
    def namespaces(self) -> set[str]:
        return {self.exchange.first.key.namespace}


class Rows(NamedTuple):
    """Rows of the schema PREDICTIONS, at least one. `new`: none of them can have been sent before.

    `events` is 0 for the further frames of one call.
    """

    batch: pa.RecordBatch
    fields: Sequence[FieldInfo]
    new: bool = False
    events: int = 1

    @property
    def tap(self) -> str:
        tap: str = self.batch.column("source")[0].as_py()
        return tap

    @property
    def rows(self) -> Tally:
        return rows_of(self.batch)

    @property
    def namespaces(self) -> set[str]:
        return {line.namespace for line in self.rows}


class Labels(NamedTuple):
    """Labels of the schema LABELS, at least one. `events` is 0 for those that came with predictions."""

    batch: pa.RecordBatch
    events: int = 1

    @property
    def tap(self) -> str:
        return TAP

    @property
    def rows(self) -> Tally:
        return labels_of(self.batch)

    @property
    def namespaces(self) -> set[str]:
        return {line.namespace for line in self.rows}


class Letters(NamedTuple):
    """What could not be read, at least one. `events` counts calls of which nothing else was accepted."""

    letters: Sequence[DeadLetter]
    events: int = 0

    @property
    def tap(self) -> str:
        return self.letters[0].source

    @property
    def rows(self) -> Tally:
        return NO_ROWS

    @property
    def namespaces(self) -> set[str]:
        return {letter.namespace for letter in self.letters}


Item = Halves | Called | Rows | Labels | Letters
