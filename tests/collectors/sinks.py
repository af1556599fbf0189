"""Stores in memory that do what a test tells them to."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sent import NOW

from collectors.collector import Collector, Ports
from collectors.naming import Names
from collectors.pairing import Pairing
from core.config import Config
from core.errors import StoreError, StoreUnavailable
from core.metrics import Metrics
from core.protocols import HalfStore
from core.records import DeadLetter, FieldInfo, Half, RequestKey


@dataclass
class ScriptedSink:
    """Away for the next `away` calls; refuses batches that hold the model `refused`."""

    away: int = 0
    refused: str = ""
    batches: list[pa.RecordBatch] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    fields: set[FieldInfo] = field(default_factory=set)

    def store(self, predictions: pa.RecordBatch) -> None:
        self._check()
        if self.refused in predictions.column("model").to_pylist():
            raise StoreError("no such column", 16)
        self.batches.append(predictions)

    def store_fields(self, fields: Iterable[FieldInfo]) -> None:
        self._check()
        self.fields |= set(fields)

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self._check()
        self.letters += letters

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

    def predicted(self, keys: Collection[RequestKey]) -> dict[RequestKey, int]:
        self._check()
        return {}

    def _check(self) -> None:
        if self.fails and self.fails.pop(0):
            raise StoreUnavailable("away")


@dataclass
class MemoryJournal:
    """A log in memory: what is stored stays in it, and `before` says until when it may go."""

    frames: list[bytes] = field(default_factory=list)
    before: int = 0

    async def append(self, frame: bytes) -> AbstractContextManager[object]:
        self.frames.append(frame)
        return nullcontext()

    def stored(self, before: int) -> None:
        self.before = before


def collector(sink: ScriptedSink, halves: HalfStore | None = None, **ports: Any) -> Collector:
    given: dict[str, Any] = {
        "sink": sink,
        "journal": MemoryJournal(),
        "pairing": Pairing(halves or Halves(), lambda half: half),
        "naming": Names(Config()),
        "metrics": Metrics(),
        "clock": lambda: NOW,
        "spool_bytes": 2**28,
    }
    return Collector(Ports(**{**given, **ports}))
