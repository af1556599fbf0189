"""Rows that came late: which windows they touch, and what running those again leaves behind."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.config import MonitorConfig, TimeWindows, model_key
from core.findings import Finding, Run
from core.records import ModelKey
from storage.engine import Engine
from storage.findings.outcomes import Outcome
from storage.findings.runs import outdated
from storage.profiles.tally import newest_revision

# After a start, changes as old as this are looked for: what a kill kept from being run again.
STARTING_MICROS = 24 * 3600 * 1_000_000


class Late:
    """The windows to run again. Each change of a minute is looked at once, or again after a restart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since: int | None = None
        self._waiting: dict[tuple[str, object], Run] = {}

    def find(self, monitors: Iterable[MonitorConfig]) -> None:
        """Look for windows of time that changes since the last call have touched."""
        revision = newest_revision(self._engine)
        since = revision - STARTING_MICROS if self._since is None else self._since
        if revision <= since:
            return
        watched = {model_key(m.model) for m in monitors if isinstance(m.window, TimeWindows)}
        for model in sorted(watched):
            self._add(model, since)
        self._since = revision

    def take(self, monitor: MonitorConfig, most: int) -> Sequence[Run]:
        """The runs to make again, the newest windows first: those are what alerts and people look at."""
        mine = [key for key, run in self._waiting.items() if run.monitor == monitor.name]
        mine.sort(key=lambda key: self._waiting[key].window, reverse=True)
        return [self._waiting.pop(key) for key in mine[:most]]

    def _add(self, model: ModelKey, since: int) -> None:
        for run in outdated(self._engine, model, max(since, 0)):
            self._waiting[run.monitor, run.window] = run


def revised(outcome: Outcome, before: Run | None, states: int) -> Outcome:
    """What a run found as that of the next revision after `before`, the first when there was none.

    `states`: the newest profiles that it can have seen.
    """
    if before is None:
        return outcome._replace(run=replace(outcome.run, states=states))
    revision = before.revision + 1
    id = hashlib.blake2b(f"{outcome.run.id} {revision}".encode(), digest_size=16).hexdigest()
    return outcome._replace(
        run=replace(outcome.run, id=id, revision=revision, states=states),
        findings=[_revised(finding, id, revision) for finding in outcome.findings],
        scores=[replace(score, run=id) for score in outcome.scores],
        explanations=[replace(explanation, run=id) for explanation in outcome.explanations],
        reports=[replace(report, run=id) for report in outcome.reports],
    )


def _revised(finding: Finding, run: str, revision: int) -> Finding:
    """A reason may say where the run's report is."""
    reason = finding.score.reason.replace(finding.run, run)
    return replace(finding, run=run, revision=revision, score=replace(finding.score, reason=reason))
