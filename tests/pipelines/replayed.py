"""The same stretch twice: monitored while its rows come, and by a backtest afterwards."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from core.config import Config, MonitorConfig
from core.findings import Finding, Window
from core.metrics import Metrics
from core.protocols import Predict
from core.records import ModelKey
from pipelines.backtest import Backtest
from pipelines.backtested import Backtested
from pipelines.runner import Runner
from storage.engine import Engine
from storage.findings.outcomes import Outcome
from storage.findings.past import Extent

_NAMED = ("monitor", "step", "version", "segment", "field", "window_rows", "reference_rows")
_BESIDE = ("basis", "alpha", "calibration", "rank")


class Live:
    """Monitors of a process whose clock is set by hand."""

    def __init__(self, engine: Engine, config: Config, now: datetime) -> None:
        self.metrics, self._now = Metrics(), now
        self._runner = Runner(engine, config, self.metrics, _no_model, lambda: self._now)
        self.tick(now)

    def tick(self, now: datetime) -> None:
        self._now = now
        self._runner.tick()

    def close(self) -> None:
        self._runner.close()

    def alarms(self, monitor: str) -> float:
        """As Prometheus counts them."""
        labels = {"namespace": "default", "model": "m", "monitor": monitor}
        return self.metrics.registry.get_sample_value("tidemark_alarms_total", labels) or 0.0


def _no_model(model: ModelKey, version: str) -> Predict:
    raise AssertionError("no step asks a model")


def backtested(engine: Engine, config: Config, stretch: Window, now: datetime) -> dict[str, Backtested]:
    return replay(engine, config, stretch, now)[0]


def replay(engine: Engine, config: Config, stretch: Window, now: datetime) -> tuple[dict[str, Backtested], list[str]]:
    """What a backtest says of each monitor, and every finding in it as `of_live` has it."""
    with closing(_Recorded(engine, config, now)) as backtest:
        said = {m.name: backtest.run(m, stretch, lambda window: None) for m in config.watched}
    return said, sorted(_shown(_columns(f)) for f in backtest.findings if f.window.end > stretch.start)


class _Recorded(Backtest):
    def __init__(self, engine: Engine, config: Config, now: datetime) -> None:
        super().__init__(engine, config, now)
        self.findings: list[Finding] = []

    def outcomes(self, monitor: MonitorConfig, stretch: Window, held: Extent) -> Iterator[Outcome]:
        for outcome in super().outcomes(monitor, stretch, held):
            self.findings += outcome.findings
            yield outcome


def of_live(engine: Engine, where: str = "true") -> list[str]:
    """Every finding of the newest revision of each run."""
    columns = ", ".join((*_NAMED, *_BESIDE, "reason", "window_start", "window_end", "score", "threshold", "fired"))
    return sorted(_shown(row.values()) for row in newest(engine, columns, where))


def newest(engine: Engine, columns: str, where: str = "true") -> Sequence[Any]:
    runs = "SELECT argMax(id, revision) FROM runs FINAL GROUP BY monitor, window_start, window_end"
    return engine.rows(f"SELECT {columns} FROM results FINAL WHERE run IN ({runs}) AND {where}")


def alarms_of_live(engine: Engine, monitor: str) -> list[datetime]:
    """When the newest revisions, in order, go from no field fired to any."""
    rows = newest(engine, "window_end, fired", f"monitor = '{monitor}'")
    fired = {end: any(row["fired"] for row in rows if row["window_end"] == end) for end in _ends(rows)}
    return [end for before, end in zip([None, *fired], fired, strict=False) if fired[end] and not fired.get(before)]


def _ends(rows: Sequence[Any]) -> list[Any]:
    return sorted({row["window_end"] for row in rows})


def _columns(f: Finding) -> list[Any]:
    same = [getattr(f, name) for name in (*_NAMED, *_BESIDE)]
    return [*same, f.score.reason, f.window.start, f.window.end, f.score.score, f.score.threshold, int(f.score.fired)]


def _shown(values: Iterable[Any]) -> str:
    return str([value.timestamp() if isinstance(value, datetime) else value for value in values])
