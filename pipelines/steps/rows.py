"""A row detector over a look: a score for each row, and one finding for each version of the model."""

import numpy as np

from core.distribution import Floats
from core.findings import Finding, RowScore, Score
from detectors import RowDetector, RowScores
from pipelines.steps.task import Place, StepResult, Task
from storage.windows.distributions import CELLS
from storage.windows.rows import Choice, Matrix, matrix, numeric

# Larger windows and references are sampled, the same rows each time.
SCORED_ROWS = 100_000

_LACKS = "rows of the reference's own blocks are not scored"


def score_rows(task: Task, detector: RowDetector) -> StepResult:
    """Over the numeric inputs that window and reference share; segments share their version's scores."""
    window, reference = task.look.window.relation, task.look.reference.relation
    fields = sorted(numeric(task.look.engine, window) & numeric(task.look.engine, reference))
    limit = min(SCORED_ROWS, CELLS // max(1, len(fields)))
    known = matrix(task.look.engine, reference, fields, Choice(limit))
    alpha = task.allowance.alpha / len(task.look.versions)
    findings: list[Finding] = []
    scores: list[RowScore] = []
    for version in task.look.versions:
        rows = matrix(task.look.engine, window, fields, Choice(limit, version=version))
        judged = _judge(task, detector, known.values[known.even], (rows, alpha))
        place = Place(version, rows=len(rows.ids), reference_rows=len(known.ids))
        findings.append(task.decided(task.finding(place, judged.verdict, "outlier"), "share", alpha, _LACKS))
        if judged.verdict.score is not None:
            scores += task.row_scores(rows.ids, judged.scores, judged.threshold)
    return StepResult(findings, scores)


def _judge(task: Task, detector: RowDetector, reference: Floats, asked: tuple[Matrix, float]) -> RowScores:
    """All rows of the window are scored; the verdict is of those of even weight, as are the rows of `reference`."""
    window, alpha = asked
    if not window.fields:
        nothing = Score(None, None, reason="window and reference share no numeric input")
        return RowScores(np.full(len(window.ids), np.nan), np.inf, nothing)
    return task.call(detector.heavy, detector.score, reference, window.values, alpha, window.even)
