"""Taps, a collector and the replay of its dead letters, in one process and over stores in memory."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from sent import NOW, UNNAMED
from sinks import MemoryJournal, ScriptedSink, collector

from collectors.accepting.intake import Intake
from collectors.accepting.items import Item
from collectors.accepting.journal import frames_of
from collectors.accounting.ledger import Ledger
from collectors.accounting.receipts import Receipts
from collectors.building.exchanges import Naming
from collectors.building.naming import Names
from collectors.replaying.call_again import MakeTap
from collectors.replaying.replay import Ports, Replay
from collectors.taps.asgi import Message
from collectors.taps.events import EventsTap, decoded_again
from collectors.taps.ports import Ports as TapPorts
from collectors.taps.rows import RowsTap
from core.config import Config, Limits
from core.metrics import Metrics
from core.records import DeadLetter, ModelKey, Replayed

LATER = NOW + 3_600_000_000
EVENT = {
    "ce-id": "e1",
    "ce-source": "x",
    "ce-specversion": "1.0",
    "ce-type": "org.kubeflow.serving.inference.request",
    "ce-inferenceservicename": "income",
    "ce-namespace": "team",
    "content-type": "application/json",
}
NDJSON = {"content-type": "application/x-ndjson"}


@dataclass
class Collecting:
    """The taps and the replay over one collector, with `limits` that a test changes as a user would, and a clock."""

    limits: Limits = field(default_factory=Limits)
    sink: ScriptedSink = field(default_factory=ScriptedSink)
    naming: Callable[[ModelKey], Naming] = lambda model: UNNAMED
    recorded: list[Replayed] = field(default_factory=list)
    now: int = NOW
    spool_bytes: int = 2**28

    def __post_init__(self) -> None:
        self.metrics, self.journal, self.names = Metrics(), MemoryJournal(), Names(Config())
        self.restart()

    def restart(self) -> None:
        """A collector that remembers nothing."""
        ports = {"naming": self.naming, "spool_bytes": self.spool_bytes, "metrics": self.metrics}
        self.ledger = Ledger()
        self.collector = collector(self.sink, ledger=self.ledger, **ports)
        self.into = Intake(self.journal, self.collector, decoded_again, lambda: self.now)
        self.into.resume()
        self.into.read_on()
        record: Callable[[Replayed], None] = self.recorded.append
        self.replay = Replay(
            Ports(
                self.into,
                self.taps(),
                self.sink,
                self.naming,
                decoded_again,
                self.metrics,
                record,
                self.ledger,
                lambda: self.now,
            )
        )

    def taps(self) -> dict[str, MakeTap]:
        return {
            "/events": lambda into, clock: EventsTap(TapPorts(into, self.receipts("events"), self.limits, clock)),
            "/api/predictions": lambda into, clock: RowsTap(
                TapPorts(into, self.receipts("api"), self.limits, clock), self.names
            ),
        }

    def receipts(self, tap: str) -> Receipts:
        return Receipts(self.ledger, self.metrics, tap)

    def send(self, path: str, headers: dict[str, str], body: Any, query: str = "") -> int:
        """The status of a call."""
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": query.encode(), "headers": raw}
        statuses: list[int] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": sent}

        async def answer(message: Message) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        asyncio.run(self.taps()[path](self.into, lambda: self.now)(scope, receive, answer))  # type: ignore[arg-type]
        return statuses[0]

    def letters(self, count: int = 1) -> list[DeadLetter]:
        self.into.flush()
        assert len(self.sink.letters) == count, self.sink.letters
        return self.sink.letters

    def accept(self, item: Item) -> None:
        asyncio.run(self.into.accept(frames_of(item), self.receipts("api").begin()))

    def counts(self) -> dict[str, int]:
        """What the ledger says of rows, without what is 0."""
        entries = [entry for entry in self.into.entries() if entry.unit == "row"]
        assert [entry.difference for entry in entries] == [0] * len(entries)
        total: Counter[str] = sum((Counter(entry.counts) for entry in entries), Counter())
        return dict(total)

    def again(self, letter: DeadLetter) -> Replayed:
        return asyncio.run(self.replay(letter, "me"))

    def stored(self) -> list[dict[str, Any]]:
        self.into.flush(everything=True)
        return [row for batch in self.sink.batches for row in batch.to_pylist(maps_as_pydicts="strict")]


def v2(*values: float, key: str = "inputs") -> dict[str, Any]:
    return {key: [{"name": "x", "shape": [1, len(values)], "datatype": "FP64", "data": [*values]}]}
