"""A row detector over a look: a score for each row, and one finding for each version of the model."""

from functools import partial

import numpy as np

from core.findings import Finding, RowScore, Score
from detectors import RowDetector, RowScores
from pipelines.alarms.whole_rows import Judged, evidence
from pipelines.steps.task import Place, StepResult, Task
from pipelines.steps.usual import numeric_rows, usual
from storage.windows.rows import Matrix

# Larger windows and references are sampled, the same rows each time.
SCORED_ROWS = 100_000


def score_rows(task: Task, detector: RowDetector) -> StepResult:
    """Over the numeric inputs that window and reference share; segments share their version's scores."""
    rows, judge = numeric_rows(task, SCORED_ROWS), partial(_judge, task, detector)
    known, before = rows.read(task.look.reference.relation), usual(task, rows, lambda *asked: _judged(judge(*asked)))
    alpha = task.allowance.alpha / len(task.look.versions)
    findings: list[Finding] = []
    scores: list[RowScore] = []
    for version in task.look.versions:
        window = rows.read(task.look.window.relation, version)
        judged = judge(known, window, alpha)
        score = before.decide(_judged(judged), alpha, evidence(known, window))
        place = Place(version, rows=len(window.ids), reference_rows=len(known.ids))
        findings.append(task.decided(task.finding(place, score, "outlier"), "share", alpha, before.lacks))
        if judged.verdict.score is not None:
            scores += task.row_scores(window.ids, judged.scores, judged.threshold)
    return StepResult(findings, scores)


def _judge(task: Task, detector: RowDetector, reference: Matrix, window: Matrix, alpha: float) -> RowScores:
    """All rows of the window are scored; the verdict is of those of even weight, as is the reference."""
    if not window.fields:
        nothing = Score(None, None, reason="window and reference share no numeric input")
        return RowScores(np.full(len(window.ids), np.nan), np.inf, nothing)
    known = reference.values[reference.even]
    return task.call(detector.heavy, detector.score, known, window.values, alpha, window.even)


def _judged(found: RowScores) -> Judged:
    return Judged(found.verdict, found.law, most=1.0)
