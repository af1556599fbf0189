"""The taps behind a real server, over a store in memory that a test can look into."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import pyarrow as pa
import uvicorn

from collectors.accepting.intake import Intake
from collectors.accounting.ledger import Ledger
from collectors.accounting.receipts import Receipts
from collectors.building.naming import Names
from collectors.collector import Collector, Ports
from collectors.halves.pairing import Pairing
from collectors.taps.asgi import Receive, Scope, Send
from collectors.taps.events import EventsTap, decoded_again
from collectors.taps.ports import Ports as TapPorts
from collectors.taps.proxy import Proxied, Taps
from collectors.taps.recording import Recorder
from collectors.taps.rows import RowsTap
from core.config import Config
from core.errors import Overloaded, StoreUnavailable
from core.metrics import Metrics
from core.protocols import START, Position
from core.records import PREDICTIONS, DeadLetter, FieldInfo, Half, HalfId, RequestKey
from tidemark.app import App, Routes

SECONDS = 5


@dataclass
class Memory:
    """A sink and a half store, and the frames of a journal that is `full` when told so."""

    away: bool = False
    full: bool = False
    frames: list[bytes] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    halves: list[Half] = field(default_factory=list)

    def store(self, predictions: pa.RecordBatch) -> None:
        if self.away:
            raise StoreUnavailable("connection refused")
        self.rows += predictions.to_pylist(maps_as_pydicts="strict")

    def store_labels(self, labels: pa.RecordBatch) -> None: ...

    def store_fields(self, fields: Iterable[FieldInfo]) -> None: ...

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self.letters += letters

    def keep(self, halves: Sequence[Half]) -> None:
        self.halves += halves

    def kept(self, keys: Collection[RequestKey]) -> list[Half]:
        return [half for half in self.halves if half.key in keys]

    def complete(self, halves: Sequence[Half]) -> None: ...

    def predicted(self, ids: Collection[RequestKey]) -> Sequence[Mapping[str, Any]]:
        return []

    def left(self, since: int) -> Sequence[HalfId]:
        return []

    def store_ledger(self, collector: str, entries: Sequence[Mapping[str, Any]]) -> None: ...

    def newest(self, rows: int) -> pa.Table:
        names = ("namespace", "model", "id", "content", "received")
        return pa.schema([PREDICTIONS.field(name) for name in names]).empty_table()


@dataclass
class MemoryJournal:
    """The frames of a `Memory`: number n ends at (1, n)."""

    memory: Memory
    identity: str = "memory"
    trimmed: Position = START
    note: bytes = b""
    limit_bytes: int = 2**40
    waiting_bytes: int = 0

    @property
    def newest(self) -> Position:
        return (1, len(self.memory.frames))

    async def append(self, frame: bytes) -> Position:
        if self.memory.full:
            raise Overloaded("the log is full")
        self.memory.frames.append(frame)
        return self.newest

    def read(self, after: Position) -> Iterator[tuple[Position, bytes]]:
        for number in range(after[1], len(self.memory.frames)):
            yield (1, number + 1), self.memory.frames[number]

    def trim(self, position: Position, note: bytes) -> None: ...


@dataclass
class Service:
    port: int
    memory: Memory
    intake: Intake
    metrics: Metrics

    def predictions(self, count: int = 1) -> list[dict[str, Any]]:
        """The stored predictions, once there are at least `count`."""
        return self._eventually(lambda: self.memory.rows, count)

    def letters(self, count: int = 1) -> list[DeadLetter]:
        """The dead letters, once there are at least `count`."""
        return self._eventually(lambda: self.memory.letters, count)

    def events(self, tap: str, count: int = 1) -> dict[str, int]:
        """What became of the events of `tap`, once there are at least `count`."""

        def counted() -> list[str]:
            (family,) = self.metrics.events.collect()
            samples = [s for s in family.samples if s.labels["tap"] == tap and s.name.endswith("_total")]
            return [s.labels["outcome"] for s in samples for _ in range(int(s.value))]

        return Counter(self._eventually(counted, count))

    def _eventually(self, look: Callable[[], list[Any]], count: int) -> list[Any]:
        deadline = time.monotonic() + SECONDS
        while True:
            if not self.memory.away:
                self.intake.flush()
                self.intake.read_on()
            if len(found := look()) >= count:
                return found
            assert time.monotonic() < deadline, f"{len(found)} came, not {count}: {found}"
            time.sleep(0.005)


class Host:
    """One HTTP server for all tests, set up as `tidemark up` does it; the taps behind it are each test's own."""

    def __init__(self) -> None:
        self._app: App | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._answer,
                port=0,
                interface="asgi3",
                access_log=False,
                date_header=False,
                http="httptools",
                lifespan="off",
                log_config=None,
                log_level="warning",
                loop="uvloop",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )

    @contextmanager
    def running(self) -> Iterator["Host"]:
        thread = Thread(target=self._server.run)
        thread.start()
        while not self._server.started:
            time.sleep(0.002)
        yield self
        self._server.should_exit = True
        thread.join()

    @contextmanager
    def serving(self, config: Config, collector: type[Collector] = Collector) -> Iterator[Service]:
        """All taps of `config`, wired as the application wires them."""
        memory, metrics, names = Memory(), Metrics(), Names(config)
        pairing, ledger = Pairing(memory, decoded_again), Ledger()
        taken = collector(Ports(memory, pairing, names, metrics, clock, ledger, config.limits.spool_bytes))
        intake = Intake(MemoryJournal(memory), taken, decoded_again, clock)
        intake.read_on()
        taps = Taps(Proxied(config, Recorder(intake, config.limits), names, metrics, ledger, clock))
        events = EventsTap(TapPorts(intake, Receipts(ledger, metrics, "events"), config.limits, clock))
        rows = RowsTap(TapPorts(intake, Receipts(ledger, metrics, "api"), config.limits, clock), names)
        self._app = App(Routes(taps, events, rows, taps=taps), nothing, nothing)
        yield Service(self._server.servers[0].sockets[0].getsockname()[1], memory, intake, metrics)
        if self._loop:
            asyncio.run_coroutine_threadsafe(taps.close(), self._loop).result()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        assert self._app
        await self._app(scope, receive, send)


async def nothing() -> None: ...


def clock() -> int:
    return time.time_ns() // 1000
