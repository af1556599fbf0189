"""Stores in memory that do what a test tells them to."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sent import NOW

from collectors.accounting.ledger import Ledger
from collectors.building.naming import Names
from collectors.collector import Collector, Ports
from collectors.halves.pairing import Pairing, Swept
from core.config import Config
from core.errors import Overloaded, StoreError, StoreUnavailable
from core.metrics import Metrics
from core.protocols import START, HalfStore, Position
from core.records import PREDICTIONS, DeadLetter, FieldInfo, Half, HalfId, RequestKey

NEWEST = pa.schema([PREDICTIONS.field(name) for name in ("namespace", "model", "id", "content", "received")])


@dataclass
class ScriptedSink:
    """Away for the next `away` calls; refuses batches that hold the model `refused`."""

    away: int = 0
    refused: str = ""
    batches: list[pa.RecordBatch] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    fields: set[FieldInfo] = field(default_factory=set)
    labels: list[pa.RecordBatch] = field(default_factory=list)
    ledger: list[Mapping[str, Any]] = field(default_factory=list)

    def store(self, predictions: pa.RecordBatch) -> None:
        self._check()
        if self.refused in predictions.column("model").to_pylist():
            raise StoreError("no such column", 16)
        self.batches.append(predictions)

    def store_labels(self, labels: pa.RecordBatch) -> None:
        self._check()
        if self.refused and self.refused in labels.column("value").to_pylist():
            raise StoreError("no such column", 16)
        self.labels.append(labels)

    def store_fields(self, fields: Iterable[FieldInfo]) -> None:
        self._check()
        self.fields |= set(fields)

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self._check()
        self.letters += letters

    def store_ledger(self, collector: str, entries: Sequence[Mapping[str, Any]]) -> None:
        self._check()
        self.ledger = [*entries]

    def newest(self, rows: int) -> pa.Table:
        batches = [pa.table({name: b.column(name) for name in NEWEST.names}) for b in self.batches]
        return pa.concat_tables([NEWEST.empty_table(), *batches]).slice(0, rows)

    def ids(self) -> list[str]:
        return [id for batch in self.batches for id in batch.column("id").to_pylist()]

    def _check(self) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("connection refused")


@dataclass
class Halves:
    """A half store in memory; `fails` says which of the next calls find it away."""

    fails: list[bool] = field(default_factory=list)
    stored: dict[tuple[RequestKey, str, int], Half] = field(default_factory=dict)

    def keep(self, halves: Sequence[Half]) -> None:
        self._check()
        self.stored |= {(h.key, h.kind, h.received): h for h in halves}

    def kept(self, keys: Collection[RequestKey]) -> list[Half]:
        self._check()
        return [h for h in self.stored.values() if h.key in keys]

    def complete(self, halves: Sequence[Half]) -> None:
        self._check()
        for h in halves:
            self.stored.pop((h.key, h.kind, h.received), None)

    def predicted(self, ids: Collection[RequestKey]) -> Sequence[Mapping[str, Any]]:
        self._check()
        return []

    def left(self, since: int) -> Sequence[HalfId]:
        self._check()
        return [h.id for h in self.stored.values() if h.received >= since]

    def _check(self) -> None:
        if self.fails and self.fails.pop(0):
            raise StoreUnavailable("away")


@dataclass
class MemoryJournal:
    """A log in memory: frame n ends at (1, n)."""

    identity: str = "memory"
    frames: list[bytes] = field(default_factory=list)
    trimmed: Position = START
    note: bytes = b""
    limit_bytes: int = 2**40
    waiting_bytes: int = 0
    room: int = 2**40

    @property
    def newest(self) -> Position:
        return (1, len(self.frames))

    async def append(self, frame: bytes) -> Position:
        if len(self.frames) >= self.room:
            raise Overloaded("the log is full")
        self.frames.append(frame)
        return self.newest

    def read(self, after: Position) -> Iterator[tuple[Position, bytes]]:
        at = after[1] if after[0] else 0
        while at < len(self.frames):
            at += 1
            yield (1, at), self.frames[at - 1]

    def trim(self, position: Position, note: bytes) -> None:
        assert position <= self.newest
        self.trimmed, self.note = max(position, self.trimmed), note

    def left(self) -> list[bytes]:
        return [frame for _, frame in self.read(self.trimmed)]


class Taking(Collector):
    """Everything that has come belongs to each flush."""

    def flush(self, everything: bool = False) -> Swept:
        self.cut()
        swept = super().flush(everything)
        self.noted()
        return swept

    def difference(self) -> int:
        return sum(abs(entry.difference) for entry in self.ledger.entries(self.in_flight()) if entry.unit == "row")


def collector(sink: ScriptedSink, halves: HalfStore | None = None, **ports: Any) -> Taking:
    given: dict[str, Any] = {
        "sink": sink,
        "pairing": Pairing(halves or Halves(), lambda half: half),
        "naming": Names(Config()),
        "metrics": Metrics(),
        "clock": lambda: NOW,
        "ledger": Ledger(),
        "spool_bytes": 2**28,
    }
    return Taking(Ports(**{**given, **ports}))
