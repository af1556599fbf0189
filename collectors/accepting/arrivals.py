"""What has come and no thread has looked at yet. The taps put it here in microseconds; bounded by who asks `bytes`."""

from collections.abc import Sequence
from threading import RLock
from typing import NamedTuple

import pyarrow as pa

from collectors.building.exchanges import Exchange
from collectors.halves.pairing import half_bytes
from core.records import DeadLetter


class Arrived(NamedTuple):
    exchanges: Sequence[Exchange] = ()
    batches: Sequence[pa.RecordBatch] = ()
    letters: Sequence[DeadLetter] = ()
    labels: Sequence[pa.RecordBatch] = ()


class Arrivals:
    """Any thread puts, one takes. `lock` may be held around several calls."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._exchanges: list[Exchange] = []
        self._batches: list[pa.RecordBatch] = []
        self._letters: list[DeadLetter] = []
        self._labels: list[pa.RecordBatch] = []
        self.bytes = self.rows = 0
        self._oldest = 0

    def exchange(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.append(exchange)
            self.bytes += exchange_bytes(exchange)
            self._oldest = self._oldest or exchange.first.received

    def batch(self, batch: pa.RecordBatch, received: int) -> None:
        with self._lock:
            self._batches.append(batch)
            self.rows += len(batch)
            self.bytes += batch.nbytes
            self._oldest = self._oldest or received

    def labels(self, batch: pa.RecordBatch) -> None:
        with self._lock:
            self._labels.append(batch)
            self.bytes += batch.nbytes

    def letter(self, letter: DeadLetter) -> None:
        with self._lock:
            self._letters.append(letter)
            self.bytes += len(letter.body)

    def look(self) -> Arrived:
        with self._lock:
            return Arrived([*self._exchanges], [*self._batches], [*self._letters], [*self._labels])

    def take(self, exchanges: int | None = None) -> Arrived:
        """Everything, but at most so many exchanges."""
        with self._lock:
            taken = Arrived(self._exchanges[:exchanges], self._batches, self._letters, self._labels)
            self._exchanges = self._exchanges[len(taken.exchanges) :]
            self._batches, self._letters, self._labels = [], [], []
            self.rows = 0
            self.bytes -= sum(map(exchange_bytes, taken.exchanges))
            self.bytes -= sum(batch.nbytes for batch in (*taken.batches, *taken.labels))
            self.bytes -= sum(len(x.body) for x in taken.letters)
        return taken

    def oldest(self) -> int:
        """When the first thing came that has not been asked for here, microseconds since 1970; 0 = nothing came."""
        with self._lock:
            oldest, self._oldest = self._oldest, 0
        return oldest


def exchange_bytes(exchange: Exchange) -> int:
    return sum(half_bytes(half) for half in exchange if half is not None)
