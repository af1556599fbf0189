"""Lives of a collector over one log and one store in memory; a life ends in the middle of whatever it is about."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
from sent import NOW
from sinks import Halves as MemoryHalves
from sinks import MemoryJournal, ScriptedSink

from collectors.accepting.intake import Intake
from collectors.accepting.items import Item
from collectors.accepting.journal import frames_of
from collectors.accounting.ledger import Ledger
from collectors.accounting.receipts import Receipts
from collectors.building.naming import Names
from collectors.collector import Collector, Ports
from collectors.halves.pairing import Pairing
from collectors.taps.events import decoded_again
from core.config import Config
from core.errors import Overloaded
from core.metrics import Metrics
from core.records import DeadLetter, Half, HalfId, HalfKind, Payload, RequestKey

SECOND = 1_000_000
SMALL = 6_000  # bytes of memory: four halves


class Killed(BaseException):
    """The process ends here."""


class DyingSink(ScriptedSink):
    """Kills the process before or after one of its next calls has its effect."""

    def __init__(self) -> None:
        super().__init__()
        self.calls_to_live, self.after = 10**9, False

    def _check(self) -> None:
        super()._check()
        self.calls_to_live -= 1
        if self.calls_to_live < 0 and not self.after:
            raise Killed

    def store(self, predictions: pa.RecordBatch) -> None:
        super().store(predictions)
        if self.calls_to_live < 0:
            raise Killed

    def store_labels(self, labels: pa.RecordBatch) -> None:
        super().store_labels(labels)
        if self.calls_to_live < 0:
            raise Killed

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        super().store_dead_letters(letters)
        if self.calls_to_live < 0:
            raise Killed


class KnowingHalves(MemoryHalves):
    """Knows the predictions of a sink, as the half store of a store does; a half that is completed stays so."""

    def __init__(self, sink: ScriptedSink) -> None:
        super().__init__()
        self.sink, self._ended = sink, set[HalfId]()

    def keep(self, halves: Sequence[Half]) -> None:
        super().keep([half for half in halves if half.id not in self._ended])

    def complete(self, halves: Sequence[Half]) -> None:
        super().complete(halves)
        self._ended |= {half.id for half in halves}

    def predicted(self, ids: Collection[RequestKey]) -> Sequence[Mapping[str, Any]]:
        rows = [row for batch in self.sink.batches for row in batch.to_pylist()]
        return [row for row in rows if RequestKey(row["namespace"], row["model"], row["id"]) in ids]


class Process:
    """What one life of a collector holds in memory."""

    def __init__(
        self,
        journal: MemoryJournal,
        sink: ScriptedSink,
        halves: MemoryHalves,
        clock: Callable[[], int],
        memory: int = SMALL,
    ) -> None:
        ledger, metrics = Ledger(), Metrics()
        pairing = Pairing(halves, decoded_again, started=clock())
        collector = Collector(Ports(sink, pairing, Names(Config()), metrics, clock, ledger, memory))
        self.intake = Intake(journal, collector, decoded_again, clock)
        self.receipts = Receipts(ledger, metrics, "events")
        self.intake.resume()

    def accept(self, item: Item) -> None:
        receipt = self.receipts.begin()
        receipt.holds(item.events)
        try:
            asyncio.run(self.intake.accept(frames_of(item), receipt))
        except Overloaded:
            receipt.rest("shed")
            raise
        finally:
            receipt.close()


def half(id: str, kind: HalfKind, value: int, received: int) -> Half:
    tensor = {"name": "x", "shape": [1], "datatype": "FP64", "data": [value]}
    body = orjson.dumps({"inputs" if kind == "request" else "outputs": [tensor]})
    key, headers = RequestKey("default", "m", id), (("content-type", "application/json"),)
    return decoded_again(Half(key, kind, Payload(()), NOW, received, "events", headers=headers, body=body))


def value_of(half: Half) -> int:
    document = orjson.loads(half.body)
    return int((document.get("inputs") or document["outputs"])[0]["data"][0])
