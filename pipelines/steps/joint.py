"""A joint detector over a look: one finding for each version of the model, with the fields that it comes from."""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from core.errors import StepFailed
from core.findings import Finding, Score
from detectors import NO_LAW, JointDetector, JointScore
from pipelines.alarms.whole_rows import Judged, evidence
from pipelines.steps.task import Place, StepResult, Task
from pipelines.steps.usual import Rows, numeric_rows, usual
from storage.windows.distributions import CELLS
from storage.windows.relations import REFERENCE_MAPS
from storage.windows.rows import Choice, Matrix, vectors

# Larger windows and references are sampled, the same rows each time.
COMPARED_ROWS = 50_000
# Numbers in a vector that rows are counted out for; longer ones have fewer rows.
_WIDTH = 400
_NAMED = 5  # fields in a reason
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class JointOptions:
    """What a step takes beside its detector's options. field: a vector, compared in place of the numeric inputs."""

    field: str = ""


def compare_rows(task: Task, detector: JointDetector, options: JointOptions) -> StepResult:
    """Over the numeric inputs that window and reference share, or over one vector field."""
    rows = _vectors(task, options.field) if options.field else numeric_rows(task, COMPARED_ROWS)
    judge = partial(_judged, task, detector)
    known, before = rows.read(task.look.reference.relation), usual(task, rows, judge)
    alpha, findings = task.allowance.alpha / len(task.look.versions), list[Finding]()
    for version in task.look.versions:
        window = rows.read(task.look.window.relation, version)
        score = before.decide(judge(known, window, alpha), alpha, evidence(known, window))
        place = Place(version, rows=len(window.ids), reference_rows=len(known.ids))
        findings.append(task.decided(task.finding(place, score), "own", alpha, before.lacks))
    return StepResult(findings)


def _vectors(task: Task, field: str) -> Rows:
    if task.look.reference.relation.maps == REFERENCE_MAPS:
        raise StepFailed("a data set has no vectors: use a reference such as {window: 7d}")
    engine, most = task.look.engine, CELLS // _WIDTH
    return Rows(
        [field], lambda relation, version=None: vectors(engine, relation, field, Choice(most, version=version)), most
    )


def _judged(task: Task, detector: JointDetector, reference: Matrix, window: Matrix, alpha: float) -> Judged:
    return task.call(detector.heavy, _judge, detector, reference, window, alpha)


def _judge(detector: JointDetector, reference: Matrix, window: Matrix, alpha: float) -> Judged:
    """Of rows of even weight."""
    if not window.fields:
        return _nothing("window and reference share no numeric input, or no row has the vector")
    if len(window.fields) != len(reference.fields):
        lengths = f"{len(window.fields)} numbers long in the window, {len(reference.fields)} in the reference"
        return _nothing(f"the vectors are {lengths}")
    names = sorted(set(window.fields))
    fields = np.array([names.index(field) for field in window.fields])
    sides = reference.values[reference.even], window.values[window.even]
    found = detector.compare_rows(*sides, alpha, fields)
    return Judged(_told(found, names), found.law, found.most)


def _nothing(reason: str) -> Judged:
    return Judged(Score(None, None, reason=reason), NO_LAW, math.inf)


def _told(found: JointScore, names: list[str]) -> Score:
    """The verdict with its fields, the first ones first, in one line."""
    ranked = sorted(zip(found.contributions.tolist(), names, strict=True), key=lambda pair: (-pair[0], pair[1]))
    named = [f"{name} {share:.2f}" for share, name in ranked[:_NAMED] if share >= _LEAST_SHARE]
    if not found.verdict.fired or not named:
        return found.verdict
    apart = f"told apart by: {', '.join(named)}"
    return replace(found.verdict, reason="; ".join(part for part in (apart, found.verdict.reason) if part))
