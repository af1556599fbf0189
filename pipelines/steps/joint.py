"""A joint detector over a look: one finding for each version of the model, with the fields that it comes from."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from core.errors import StepFailed
from core.findings import Finding, Score
from detectors import JointDetector, JointScore
from pipelines.steps.task import Place, StepResult, Task
from storage.windows.distributions import CELLS
from storage.windows.relations import REFERENCE_MAPS, Relation
from storage.windows.rows import Choice, Matrix, matrix, numeric, vectors

# Larger windows and references are sampled, the same rows each time.
COMPARED_ROWS = 50_000
# Numbers in a vector that rows are counted out for; longer ones have fewer rows.
_WIDTH = 400
_LACKS = "rows of the reference's own blocks are not compared"
_NAMED = 5  # fields in a reason
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class JointOptions:
    """What a step takes beside its detector's options. field: a vector, compared in place of the numeric inputs."""

    field: str = ""


class _Read(Protocol):
    def __call__(self, relation: Relation, choice: Choice) -> Matrix: ...


def compare_rows(task: Task, detector: JointDetector, options: JointOptions) -> StepResult:
    """Over the numeric inputs that window and reference share, or over one vector field."""
    window, reference = task.look.window.relation, task.look.reference.relation
    read, limit = _vectors(task, options.field) if options.field else _numbers(task)
    known, findings = read(reference, Choice(limit)), list[Finding]()
    alpha = task.allowance.alpha / len(task.look.versions)
    for version in task.look.versions:
        rows = read(window, Choice(limit, version=version))
        place = Place(version, rows=len(rows.ids), reference_rows=len(known.ids))
        score = task.call(detector.heavy, _judge, detector, known, rows, alpha)
        findings.append(_decided(task, task.finding(place, score), alpha))
    return StepResult(findings)


def _decided(task: Task, finding: Finding, alpha: float) -> Finding:
    """The reason says nothing of the effect: here it is no shift of a mean."""
    score = finding.score
    told = task.decided(replace(finding, score=replace(score, effect=None, interval=None)), "distance", alpha, _LACKS)
    return replace(told, score=replace(told.score, effect=score.effect, interval=score.interval))


def _numbers(task: Task) -> tuple[_Read, int]:
    engine, window, reference = task.look.engine, task.look.window.relation, task.look.reference.relation
    fields = sorted(numeric(engine, window) & numeric(engine, reference))
    return (
        lambda relation, choice: matrix(engine, relation, fields, choice),
        min(COMPARED_ROWS, CELLS // max(1, len(fields))),
    )


def _vectors(task: Task, field: str) -> tuple[_Read, int]:
    if task.look.reference.relation.maps == REFERENCE_MAPS:
        raise StepFailed("a data set has no vectors: use a reference such as {window: 7d}")
    engine = task.look.engine
    return lambda relation, choice: vectors(engine, relation, field, choice), CELLS // _WIDTH


def _judge(detector: JointDetector, reference: Matrix, window: Matrix, alpha: float) -> Score:
    """Of rows of even weight."""
    if not window.fields:
        return Score(None, None, reason="window and reference share no numeric input, or no row has the vector")
    if len(window.fields) != len(reference.fields):
        lengths = f"{len(window.fields)} numbers long in the window, {len(reference.fields)} in the reference"
        return Score(None, None, reason=f"the vectors are {lengths}")
    names = sorted(set(window.fields))
    fields = np.array([names.index(field) for field in window.fields])
    sides = reference.values[reference.even], window.values[window.even]
    return _told(detector.compare_rows(*sides, alpha, fields), names)


def _told(found: JointScore, names: list[str]) -> Score:
    """The verdict with its fields, the first ones first, in one line."""
    ranked = sorted(zip(found.contributions.tolist(), names, strict=True), key=lambda pair: (-pair[0], pair[1]))
    named = [f"{name} {share:.2f}" for share, name in ranked[:_NAMED] if share >= _LEAST_SHARE]
    if not found.verdict.fired or not named:
        return found.verdict
    apart = f"told apart by: {', '.join(named)}"
    return replace(found.verdict, reason="; ".join(part for part in (apart, found.verdict.reason) if part))
