"""What a backtest says of one monitor: its windows counted, its alarms, and why windows decided nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.config import MonitorConfig
from core.findings import Finding, Window
from storage.findings.outcomes import Outcome

MONTH = timedelta(days=30)  # as of `false_alarms: 1/month`
_REASONS = 3  # that are told one by one


@dataclass(frozen=True)
class Alarm:
    """A monitor went from no field fired to any; `finding` explains it best."""

    time: datetime
    finding: Finding
    fired: int


@dataclass(frozen=True)
class Backtested:
    """What one monitor would have done in `windows` windows over `length`; `notes` say what else is to be known.

    `failed` windows had a step that failed, `undecided` ones nothing to decide: no rows, or no reference yet.
    """

    monitor: MonitorConfig
    windows: int = 0
    failed: int = 0
    undecided: int = 0
    length: timedelta = timedelta(0)
    alarms: tuple[Alarm, ...] = ()
    worst_field: str = ""
    notes: tuple[str, ...] = ()

    @property
    def alarms_per_month(self) -> float | None:
        """None when nothing was run."""
        return len(self.alarms) * (MONTH / self.length) if self.length else None


class Tally:
    """Counts windows in their order; `had` says how many rows those had that ran live."""

    def __init__(self, had: Mapping[Window, int]) -> None:
        self.windows = 0
        self._had, self._fewer = had, 0
        self._failed, self._undecided = Counter[str](), Counter[str]()  # by reason
        self._silent: dict[str, Counter[str]] = {}  # by reason, windows in which a step decided nothing and others did
        self._span: Window | None = None
        self._firing = False
        self._alarms: list[Alarm] = []
        self._fields: Counter[str] = Counter()

    def add(self, outcome: Outcome, counts: bool) -> None:
        """Without `counts` only whether it fires is remembered."""
        fired = [finding for finding in outcome.findings if finding.score.fired]
        if counts:
            self._count(outcome, fired)
        self._firing = bool(fired)

    def _count(self, outcome: Outcome, fired: Sequence[Finding]) -> None:
        window = outcome.run.window
        self.windows += 1
        if outcome.run.status == "failed":
            self._failed[outcome.run.reason] += 1
        self._fewer += outcome.run.rows < self._had.get(Window(window.start, window.end), 0)
        silent = _silent(outcome.findings)
        if silent and all(finding.step in silent for finding in outcome.findings if finding.kind != "schema"):
            self._undecided[next(iter(silent.values()))] += 1
        else:
            for step, reason in silent.items():
                self._silent.setdefault(reason, Counter())[step] += 1
        self._fields.update(finding.field for finding in fired if finding.field)
        self._span = Window(min(self._span.start, window.start) if self._span else window.start, window.end)
        if fired and not self._firing:
            self._alarms.append(Alarm(window.end, min(fired, key=_explains), len(fired)))

    def result(self, monitor: MonitorConfig, notes: Iterable[str]) -> Backtested:
        length = self._span.end - self._span.start if self._span else timedelta(0)
        worst = next((field for field, _ in self._fields.most_common(1)), "")
        counts = self.windows, self._failed.total(), self._undecided.total()
        said = [*_counted("failed", self._failed), *_counted("could not be decided", self._undecided)]
        said += _counted_by_step(self._silent)
        said += [f"{self._fewer} of the windows have fewer rows than when they ran live"] if self._fewer else []
        return Backtested(monitor, *counts, length, tuple(self._alarms), worst, tuple(filter(None, [*said, *notes])))


def _silent(findings: Sequence[Finding]) -> dict[str, str]:
    """The steps that decided nothing, each with its first reason."""
    found: dict[str, str] = {}
    for finding in findings:
        if finding.kind != "schema":
            found.setdefault(finding.step, finding.score.reason)
    decided = {finding.step for finding in findings if finding.score.score is not None}
    return {step: reason for step, reason in found.items() if step not in decided}


def _counted(what: str, reasons: Counter[str]) -> list[str]:
    """A line for each reason, the most frequent ones first; how many windows have any of the others."""
    told = reasons.most_common(_REASONS)
    lines = [f"{count} of the windows {what}: {reason}" for reason, count in told]
    others = reasons.total() - sum(count for _, count in told)
    return [*lines, *([f"{others} more of the windows {what}, for other reasons"] if others else [])]


def _counted_by_step(silent: Mapping[str, Counter[str]]) -> list[str]:
    """A line for each reason, the most frequent ones first, with the steps that gave it for as many windows; the
    steps that gave any of the others."""
    steps: dict[tuple[int, str], list[str]] = {}
    for reason, windows in silent.items():
        for step, count in windows.items():
            steps.setdefault((count, reason), []).append(step)
    told = sorted(steps.items(), key=lambda one: -one[0][0])
    lines = [
        f"{count} of the windows could not be decided by {', '.join(names)}: {reason}"
        for (count, reason), names in told[:_REASONS]
    ]
    others = dict.fromkeys(name for _, names in told[_REASONS:] for name in names)
    return [
        *lines,
        *([f"some of the windows could not be decided by {', '.join(others)}, for other reasons"] if others else []),
    ]


def _explains(finding: Finding) -> tuple[float, float]:
    """By rank where there is one, then by how many times its threshold the score is."""
    score, threshold = finding.score.score or 0.0, finding.score.threshold or 0.0
    return finding.rank or float("inf"), -score / threshold if threshold else -score
