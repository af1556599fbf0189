"""What each role runs, wired together: `up` is everything, `collect` and `pipeline` are its halves."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Thread

from collectors.collector import Collector, Into, Ports
from collectors.naming import Names
from collectors.pairing import Pairing
from collectors.recovery import Recovery
from collectors.taps.events import EventsTap, decoded_again
from collectors.taps.proxy import Proxied, Taps
from collectors.taps.recording import Recorder
from collectors.taps.rows import RowsTap
from core.config import Config, MonitorConfig
from core.errors import Rejected, StoreError
from core.metrics import Metrics
from core.records import DeadLetter
from storage.engine import Engine
from storage.halves import StoreHalves
from storage.journal import StoreJournal
from storage.sink import StoreSink
from storage.wal import Log
from tidemark.app import ASGI

PATIENCE_SECONDS = 0.7  # a window under way gets this long twice: to end by itself, and to end when interrupted

log = logging.getLogger("tidemark")


def now_micros() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Shared:
    """What every role is given."""

    engine: Engine
    config: Config
    metrics: Metrics = field(default_factory=Metrics)


class Collecting:
    """The taps, the log, and the thread that stores what they receive."""

    def __init__(self, shared: Shared, wal: Log) -> None:
        config, metrics = shared.config, shared.metrics
        self.names = Names(config)
        self._journal = StoreJournal(wal, now_micros)
        decode = partial(decoded_again, limits=config.limits)
        pairing = Pairing(StoreHalves(shared.engine), decode, started=now_micros())
        sink, room = StoreSink(shared.engine), config.limits.spool_bytes
        self._collector = Collector(Ports(sink, self._journal, pairing, self.names, metrics, now_micros, room))
        self._recovery = Recovery(self._collector, decode, now_micros)
        into = Into(self._collector, self._journal)
        self.events: ASGI = EventsTap(into, config.limits, metrics, now_micros)
        self.rows: ASGI = RowsTap(into, self.names, config.limits, metrics, now_micros)
        recorder = Recorder(into, metrics, config.limits)
        self.taps = Taps(Proxied(config, recorder, self.names, metrics, now_micros))
        self._stop = Event()
        self._thread = Thread(target=self._collector.run, args=(self._stop,), name="collector")

        metrics.log_bytes.set_function(lambda: wal.counters().bytes)
        metrics.log_damaged_bytes.set_function(lambda: wal.counters().damaged.bytes)

    def refused(self, error: Rejected) -> None:
        """A head that was too long to be looked at: nothing of it is kept, as nothing in it was masked."""
        self._collector.dead_letter(DeadLetter(now_micros(), "http", error.code, error.detail, error.field, b""))

    async def start(self) -> None:
        """What a crash left in the log is taken up before this returns."""
        await asyncio.to_thread(self._recovery.run, self._journal.left())
        self._thread.start()

    async def stop(self) -> None:
        """Everything received is stored before this returns; the server has stopped taking calls."""
        await self.taps.close()
        self._stop.set()
        self._collector.wake()
        await asyncio.to_thread(self._drain)

    def _drain(self) -> None:
        self._thread.join()
        try:
            self._collector.close()
        except StoreError as error:
            log.error(
                "the store cannot be reached: what is not stored stays in the log until the next start: %s", error
            )


class Watching:
    """The monitors, in a thread of their own. The pipelines' libraries are imported there, after the taps listen."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._stop = Event()
        # A daemon: a step that asks a model which never answers must not keep the process from ending.
        self._thread = Thread(target=self._run, name="pipeline", daemon=True)
        self._monitors: Callable[[], Sequence[MonitorConfig]] = lambda: shared.config.watched
        self._interrupt: Callable[[], None] = lambda: None

    def monitors(self) -> Sequence[MonitorConfig]:
        return self._monitors()

    async def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """A window that does not end soon is cut short and comes again after the restart."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, PATIENCE_SECONDS)
        self._interrupt()
        await asyncio.to_thread(self._thread.join, PATIENCE_SECONDS)

    def _run(self) -> None:
        from pipelines.runner import Runner
        from tidemark.predict import Models

        shared = self._shared
        runner = Runner(shared.engine, shared.config, shared.metrics, Models(shared.config, shared.engine))
        self._monitors, self._interrupt = runner.monitors, runner.interrupt
        runner.run(self._stop)
