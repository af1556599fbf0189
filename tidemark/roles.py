"""What a process that watches runs, and what every role is given."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread

from core.config import Config, MonitorConfig
from core.metrics import Metrics
from core.priority import give_way
from storage.engine import Engine

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

        give_way()
        shared = self._shared
        runner = Runner(shared.engine, shared.config, shared.metrics, Models(shared.config, shared.engine))
        self._monitors, self._interrupt = runner.monitors, runner.interrupt
        runner.run(self._stop)
