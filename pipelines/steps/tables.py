"""A detector of another library over a look: whole rows go to its worker, its verdicts come back as findings."""

from dataclasses import replace
from urllib.parse import quote

from core.findings import Finding, Report, RowScore, Score
from detectors.adapters import Examined, Table, TableDetector
from pipelines.steps.task import Place, StepResult, Task
from storage.windows.distributions import CELLS, Field
from storage.windows.rows import Choice
from storage.windows.tables import input_fields, table


def examine(task: Task, detector: TableDetector) -> StepResult:
    """Each version of the window against the reference, over the inputs that both have under the same kind."""
    fields = _shared(task, detector)
    limit = max(2, min(detector.rows, CELLS // max(1, len(fields))))
    known = table(task.look.engine, task.look.reference.relation, fields, Choice(limit))
    findings: list[Finding] = []
    scores: list[RowScore] = []
    reports: list[Report] = []
    for version in task.look.versions:
        rows = table(task.look.engine, task.look.window.relation, fields, Choice(limit, version=version))
        alpha = task.allowance.alpha / len(task.look.versions)
        found = task.outside.call(detector.examine, Table(known.columns), Table(rows.columns), alpha)
        place = Place(version, rows=len(rows.ids), reference_rows=len(known.ids))
        findings += [_decided(task, finding, alpha) for finding in _findings(task, found, place)]
        if found.scores is not None:
            scores += task.row_scores(rows.ids, found.scores, found.threshold)
        reports += _reports(task, found, version)
    return StepResult(findings, scores, reports=reports)


def _shared(task: Task, detector: TableDetector) -> list[Field]:
    """A name that holds numbers and categories on both sides counts as numbers."""
    window, reference = (
        input_fields(task.look.engine, side.relation) for side in (task.look.window, task.look.reference)
    )
    by_name = {field.name: field for field in sorted(window & reference)}  # num comes after cat
    return [field for name, field in by_name.items() if not detector.fields or name in detector.fields]


def _findings(task: Task, found: Examined, place: Place) -> list[Finding]:
    where = f"report at {_address(task, place.version)}" if found.html else ""
    findings = []
    for at, (field, score) in enumerate(found.verdicts):
        told = score if at or not where else _with_reason(score, where)
        findings.append(task.finding(place._replace(field=field), told, found.kind))
    return findings


def _decided(task: Task, finding: Finding, alpha: float) -> Finding:
    """Too many outliers are judged by `alpha`; drift is by the library's own options, whatever the budget is."""
    if finding.kind == "outlier":
        return task.decided(finding, "share", alpha, "the reference's own blocks are not scored")
    if not task.allowance.declared:
        return finding
    score = _with_reason(finding.score, "uncalibrated: the library decides by its own options")
    return replace(finding, score=score, calibration="uncalibrated")


def _with_reason(score: Score, said: str) -> Score:
    return replace(score, reason=f"{score.reason}; {said}" if score.reason else said)


def _address(task: Task, version: str) -> str:
    """Where the API serves the report."""
    which = f"?version={quote(version)}" if version else ""
    return f"/api/runs/{task.subject.run}/reports/{task.step.name}{which}"


def _reports(task: Task, found: Examined, version: str) -> list[Report]:
    if not found.html:
        return []
    namespace = task.subject.model.namespace
    return [Report(task.subject.run, task.step.name, version, namespace, found.html, tuple(found.constant))]
