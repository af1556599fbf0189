"""The loop: every monitor over every window that is due."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event

from core.config import Config, MonitorConfig, model_key
from core.errors import ConfigError, StoreError
from core.findings import Run, Window
from core.metrics import Metrics
from core.tracing import span
from pipelines.auto import automatic
from pipelines.gauges import Gauges
from pipelines.libraries import worker_python
from pipelines.monitor import Tools, run_monitor
from pipelines.steps.task import Predictor
from pipelines.windows.basis import Basis
from pipelines.windows.due import due
from pipelines.windows.late import Late, revised
from pipelines.windows.profiles import Profiles
from pipelines.windows.reference import References
from pipelines.worker import Worker
from storage.engine import Engine
from storage.findings import results, runs
from storage.findings.outcomes import save

log = logging.getLogger(__name__)

# Looking for what is due takes about a fifth of the time, and a second passes in between.
PAUSE_SECONDS = 1.0
PAUSE_PER_ROUND = 4.0
LONGEST_PAUSE = 2.0  # on a busy machine, where a round takes long, windows are not to come later still
# Windows of one monitor that are run again in one round: a year's back-fill must not keep the live ones waiting.
MOST_AGAIN = 10


def utc_now() -> datetime:
    return datetime.now(UTC)


class Runner:
    """Runs the monitors of `config`, and those that models without one get by themselves.

    What ran is kept in the store: after a stop each missed window is caught up, in order, exactly once.
    """

    def __init__(
        self,
        engine: Engine,
        config: Config,
        metrics: Metrics,
        predictor: Predictor,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine, self._config, self._clock = engine, config, clock
        self._gauges = Gauges(metrics)
        self._worker = Worker()
        self._outside = Worker(python=worker_python()) if worker_python() else self._worker
        self._basis = Basis(engine, config, clock)
        self._tools = Tools(
            engine, self._worker, predictor, clock, config=config, outside=self._outside, basis=self._basis
        )
        self._references = References(engine, config, self._basis)
        self._profiles = Profiles(self._basis.profiler, metrics)
        self._late = Late(engine)
        self._last: dict[str, Run] | None = None
        self._waiting: dict[str, str] = {}

    def monitors(self) -> Sequence[MonitorConfig]:
        """Those of the configuration and the automatic ones."""
        models = runs.models(self._engine) if self._config.auto else []
        return [*self._config.watched, *automatic(self._config, models)]

    def run(self, stop: Event) -> None:
        """Until `stop`; what goes wrong in one round is logged and tried again in the next."""
        try:
            while not stop.is_set():
                started = time.monotonic()
                try:
                    self.tick(stop)
                except StoreError as error:
                    log.error("monitors wait for the store: %s", error)
                except Exception:
                    log.exception("a round of the monitors failed")
                pause = PAUSE_PER_ROUND * (time.monotonic() - started)
                stop.wait(min(max(PAUSE_SECONDS, pause), LONGEST_PAUSE))
        finally:
            self.close()

    def tick(self, stop: Event | None = None) -> list[Run]:
        """Run all that is due now, the monitors in turns, unless `stop` comes; returns the runs."""
        if self._last is None:
            last = runs.last_runs(self._engine)
            self._gauges.restore(last.values(), results.latest(self._engine))
            self._last = last
        stop, monitors = stop or Event(), self.monitors()
        self._profiles.keep_up(self._clock())
        done = self._in_turns([self._catch_up(monitor, self._last, stop) for monitor in monitors])
        if self._profiles.looked_at_more():
            self._late.find(monitors)
        return done + self._in_turns([self._run_again(monitor, self._last, stop) for monitor in monitors])

    def _in_turns(self, turns: list[Iterator[Run]]) -> list[Run]:
        done: list[Run] = []
        while turns:  # a monitor with much to catch up does not keep the others waiting
            ran = [(turn, next(turn, None)) for turn in turns]
            turns = [turn for turn, run in ran if run]
            done += [run for _, run in ran if run]
        return done

    def interrupt(self) -> None:
        """Cut short what the worker processes do, from any thread; set `stop` of `run` first."""
        self._worker.kill()
        self._outside.kill()

    def close(self) -> None:
        """End the worker processes."""
        self._worker.stop()
        self._outside.stop()

    def _catch_up(self, monitor: MonitorConfig, last: dict[str, Run], stop: Event) -> Iterator[Run]:
        """A monitor whose data set is missing waits until it is there, and says so once."""
        try:
            for window in due(self._engine, monitor, last.get(monitor.name), self._clock()):
                run = None if stop.is_set() else self._run(monitor, window, stop)
                if run is None:
                    return
                last[monitor.name] = run
                yield run
            self._references.prepare(monitor, self._clock())
            self._waiting.pop(monitor.name, None)
        except ConfigError as error:
            if self._waiting.get(monitor.name) != str(error):
                log.error("monitor %s waits: %s", monitor.name, error)
            self._waiting[monitor.name] = str(error)

    def _run_again(self, monitor: MonitorConfig, last: dict[str, Run], stop: Event) -> Iterator[Run]:
        """Some of the windows that rows came to late; the others in the next round."""
        for before in self._late.take(monitor, MOST_AGAIN):
            try:
                run = None if stop.is_set() else self._run(monitor, before.window, stop, before)
            except ConfigError as error:
                log.error("monitor %s, window to %s: %s", monitor.name, before.window.end.isoformat(), error)
                continue
            if run is None:
                return
            if before.window == last[monitor.name].window:
                last[monitor.name] = run
            yield run

    def _run(self, monitor: MonitorConfig, window: Window, stop: Event, before: Run | None = None) -> Run | None:
        """None for a run that `stop` may have cut short: it is not kept, so that its window comes again."""
        with span("window", monitor=monitor.name, model=monitor.model, end=window.end.isoformat()):
            states = self._basis.newest(model_key(monitor.model), window)
            reference = self._references.find(monitor, window, self._clock())
            outcome = revised(run_monitor(self._tools, monitor, window, reference), before, states)
            if outcome.run.status == "failed" and stop.is_set():
                return None
            save(self._engine, outcome)
        run = outcome.run
        newest = self._last and self._last.get(monitor.name)
        if before and newest and newest.window != window:
            self._gauges.count(run)
        else:
            self._gauges.show(outcome)
        if run.status == "failed":
            log.error("monitor %s, window to %s: %s", run.monitor, run.window.end.isoformat(), run.reason)
        return run
