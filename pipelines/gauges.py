"""What Prometheus sees of monitors: the scores of each one's newest window, and its alarms."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from core.findings import Run
from core.metrics import Metrics
from storage.findings.outcomes import Outcome

log = logging.getLogger(__name__)


class _Labels(NamedTuple):
    namespace: str
    model: str
    version: str
    monitor: str
    step: str
    field: str
    segment: str


class _Value(NamedTuple):
    score: float
    threshold: float
    fired: bool

    @property
    def excess(self) -> float:
        """How many times its threshold the score is."""
        return self.score / self.threshold if self.threshold else float("inf")


class Gauges:
    """Sets the gauges of a monitor after each of its windows, and takes away those of fields that are gone."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._shown: dict[str, dict[_Labels, _Value]] = defaultdict(dict)

    def restore(self, runs: Iterable[Run], results: Iterable[Mapping[str, Any]]) -> None:
        """As they were before a restart: the newest run of each monitor, and its results in the API's shape."""
        by_monitor: dict[str, dict[_Labels, _Value]] = defaultdict(dict)
        for row in results:
            if row["score"] is not None and row["threshold"] is not None:
                labels = _Labels(*(row[name] for name in _Labels._fields))
                by_monitor[row["monitor"]][labels] = _Value(row["score"], row["threshold"], row["fired"])
        for run in runs:
            self._set(run, by_monitor[run.monitor])

    def show(self, outcome: Outcome) -> None:
        """A window later than any before, or the last one again. An alarm is logged and counted: no field fired before
        and some fired now."""
        run = outcome.run
        before = any(value.fired for value in self._shown[run.monitor].values())
        self.count(run)
        self._set(run, _decided(outcome))
        fired = [labels for labels, value in self._shown[run.monitor].items() if value.fired]
        alarms = self._metrics.alarms.labels(run.namespace, run.model, run.monitor)
        if fired and not before:
            alarms.inc()
            log.warning("%s", _alarm(run, fired, self._shown[run.monitor]))

    def count(self, run: Run) -> None:
        """All that is seen of an older window that was run again."""
        self._metrics.runs.labels(run.namespace, run.model, run.monitor, run.status).inc()

    def _set(self, run: Run, values: dict[_Labels, _Value]) -> None:
        for labels in self._shown[run.monitor].keys() - values.keys():
            for gauge in (self._metrics.score, self._metrics.threshold, self._metrics.fired):
                gauge.remove(*labels)
        for labels, value in values.items():
            self._metrics.score.labels(*labels).set(value.score)
            self._metrics.threshold.labels(*labels).set(value.threshold)
            self._metrics.fired.labels(*labels).set(value.fired)
        self._shown[run.monitor] = values
        end = run.window.end.timestamp()
        self._metrics.last_run.labels(run.namespace, run.model, run.monitor).set(end)


def _decided(outcome: Outcome) -> dict[_Labels, _Value]:
    return {
        _Labels(f.namespace, f.model, f.version, f.monitor, f.step, f.field, f.segment): _Value(
            f.score.score, f.score.threshold, f.score.fired
        )
        for f in outcome.findings
        if f.score.score is not None and f.score.threshold is not None
    }


def _alarm(run: Run, fired: list[_Labels], values: Mapping[_Labels, _Value]) -> str:
    """The fields that explain it, as the results rank them: by how many times its threshold a score is."""
    worst = sorted(fired, key=lambda labels: -values[labels].excess)[:5]
    told = ", ".join(f"{_named(w)} {values[w].score:.3g} > {values[w].threshold:.3g}" for w in worst)
    more = f" and {len(fired) - len(worst)} more" if len(fired) > len(worst) else ""
    return f"ALARM {run.monitor}: {told}{more} (model {run.model}, window to {run.window.end.isoformat()})"


def _named(labels: _Labels) -> str:
    return " ".join(part for part in (labels.step, labels.field or "rows", labels.segment) if part)
