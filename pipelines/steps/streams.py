"""A sequential detector over a look: fed with the window's new rows in order, from the state of the window before."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.distribution import Distribution, Floats
from core.errors import StepFailed
from core.findings import DetectorState, Finding, Score
from core.times import rfc3339
from detectors import StreamDetector, StreamScores
from pipelines.steps.task import Place, StepResult, Task
from storage.findings.states import Remembered, Step, Stream
from storage.windows.distributions import Field, Part
from storage.windows.rows import categorical, numeric
from storage.windows.series import Column, Labelled, Series, Slice, errors, series

_LACKS = "uncalibrated: the detector's own parameters decide, not the budget"


@dataclass(frozen=True)
class ValueOptions:
    """What a step takes beside its detector's options. field: the only one to watch."""

    field: str = ""


@dataclass(frozen=True)
class ErrorOptions:
    """output: the one that labels are compared with, the first by name if none is named. label: the labels' name.
    cutoff: numeric outputs at or above it say 1."""

    output: str = ""
    label: str = ""
    cutoff: float | None = None


class _Fed(NamedTuple):
    """New values of a stream with their times, and what the detector begins with."""

    stream: Stream
    values: Floats
    times: NDArray[np.datetime64]
    reference: Distribution
    reference_rows: int = 0


def watch(task: Task, detector: StreamDetector, options: ValueOptions | ErrorOptions) -> StepResult:
    """One finding for each stream: its highest score among the new values."""
    subject, end = task.subject, task.subject.window.end
    # A data set that has changed has another hash; a window that slides along is the same reference.
    made_of = repr((detector, options, task.look.reference.relation.params.get("hash", "")))
    configuration = hashlib.blake2b(made_of.encode(), digest_size=16).hexdigest()
    step = Step(subject.monitor.name, task.step.name, configuration)
    past = task.states.remembered(step, end)
    fed = _errors(task, options, past) if isinstance(options, ErrorOptions) else _values(task, options, past)
    findings: list[Finding] = []
    states: list[DetectorState] = []
    for one in fed:
        before = past.states.get(one.stream) or detector.start(one.reference)
        place = Place(one.stream.version, "", one.stream.field, len(one.values), one.reference_rows)
        if isinstance(before, str):
            findings.append(task.finding(place, Score(None, None, reason=before)))
            continue
        seen = detector.update(before, one.values)
        findings.append(_decided(task, task.finding(place, _verdict(seen, detector.threshold, one.times))))
        states.append(DetectorState(*step, *one.stream, end, seen.state))
    return StepResult(sorted(findings, key=lambda f: (f.version, f.field)), states=states)


def _decided(task: Task, finding: Finding) -> Finding:
    """How often it is wrong, its own parameters say."""
    if finding.score.score is None or not task.allowance.declared:
        return finding
    why = "; ".join(part for part in (finding.score.reason, _LACKS) if part)
    return replace(finding, score=replace(finding.score, reason=why), calibration="uncalibrated")


def _verdict(seen: StreamScores, threshold: float, times: NDArray[np.datetime64]) -> Score:
    if not len(seen.scores):
        return Score(None, None, reason="no new values")
    if np.isnan(seen.scores).all():
        return Score(None, None, reason="too few values yet to tell")
    alarms = np.flatnonzero(seen.scores > threshold)
    reason = f"{len(alarms)} alarm(s), the first at {_text(times[alarms[0]])}" if len(alarms) else ""
    return Score(float(np.nanmax(seen.scores)), threshold, reason=reason)


def _text(time: np.datetime64) -> str:
    return rfc3339(time.astype("datetime64[us]").item())


def _values(task: Task, options: ValueOptions, past: Remembered) -> Iterator[_Fed]:
    """Every numeric field that window and reference share, or the one asked for; some at a time, as the look reads."""
    look, inputs = task.look, numeric(task.look.engine, task.look.window.relation)
    rows = _new_rows(task, past)
    for pairs in look.pairs():
        whole = [(part, reference) for part, reference, _ in pairs if not part.segment and reference]
        shared = {name for part, known in whole for name in _shared(part, known) if options.field in ("", name)}
        columns = [Column("input" if name in inputs else "output", name) for name in sorted(shared)]
        if not columns:
            continue
        new = series(look.engine, rows, columns)
        for part, reference in whole:
            for at, column in enumerate(columns):
                if column.field in _shared(part, reference):
                    values, times = _known(new.get(part.version), at)
                    known = reference.fields[Field(column.field, "num")]
                    yield _Fed(Stream(part.version, column.field), values, times, known, reference.rows)


def _new_rows(task: Task, past: Remembered) -> Slice:
    """Windows of rows never overlap; of overlapping windows of time the rows since the last one are new."""
    relation = task.look.window.relation
    return Slice(relation, "received") if task.subject.window.rows else Slice(relation, "time", past.until)


def _shared(window: Part, reference: Part) -> list[str]:
    return [field.name for field in window.fields.keys() & reference.fields.keys() if field.kind == "num"]


def _known(rows: Series | None, at: int) -> tuple[Floats, NDArray[np.datetime64]]:
    if rows is None:
        return np.zeros(0), np.zeros(0, dtype="datetime64[us]")
    known = ~np.isnan(rows.values[:, at])
    return rows.values[known, at], rows.times[known]


def _errors(task: Task, options: ErrorOptions, past: Remembered) -> Iterator[_Fed]:
    """Predictions whose label has come since the window before: the state moves on with labels, however late."""
    window = task.subject.window
    output = _output(task, options.output)
    asked = Labelled(task.subject.model, output, options.label, options.cutoff, past.until or window.start, window.end)
    new = errors(task.look.engine, asked)
    for version in sorted({*new, *task.look.versions, *(stream.version for stream in past.states)}):
        yield _Fed(Stream(version, output), *_known(new.get(version), 0), Distribution.of_numbers(np.zeros(0)))


def _output(task: Task, wanted: str) -> str:
    """The one that is named, else the first by name of those with numbers, else of those with categories."""
    engine, relation = task.look.engine, task.look.window.relation
    outputs = [*sorted(numeric(engine, relation, "output")), *sorted(categorical(engine, relation))]
    if not outputs or (wanted and wanted not in outputs):
        raise StepFailed(f"the model has no output '{wanted}'; it has: {', '.join(outputs) or 'none'}")
    return wanted or outputs[0]
