"""A field detector over a look: one finding for each field that window and reference share."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from core.distribution import Distribution
from core.findings import Finding, Score
from detectors import FieldDetector
from pipelines.calibrating import Key, calibrated
from pipelines.calibration import FEWEST_BLOCKS, Calibration, Level, Sides, critical, decide
from pipelines.look import THREADS, Pair
from pipelines.task import Place, StepResult, Task
from pipelines.verdict import unit
from storage.windows import Field, Part


def compare_fields(task: Task, detector: FieldDetector) -> StepResult:
    """Every field of the detector's kinds in every version and segment; alpha is shared out over all of them."""
    tested = [field for f in task.look.fields() for field in f.window & (f.reference or set())]
    bar = _bar(task, detector, max(1, sum(field.kind in detector.kinds for field in tested)))
    findings: list[Finding] = []
    with ThreadPoolExecutor(THREADS) as threads:
        for pairs in task.look.pairs():
            comparisons = list(_comparisons(pairs, detector))
            findings += threads.map(lambda c: _compare(task, detector, c, bar), comparisons)
    findings += _without_reference(task)
    return StepResult(sorted(findings, key=lambda f: (f.version, f.segment, f.field)))


class _Bar(NamedTuple):
    """What all comparisons of a look are held against. `lacks`: why nothing is known of the reference's history."""

    level: Level
    calibration: Calibration | None
    lacks: str


def _bar(task: Task, detector: FieldDetector, comparisons: int) -> _Bar:
    alpha, history = task.allowance.alpha, task.history
    law = Level(alpha / comparisons, 0.0)
    lacks = history.lacks or ("a detector in a process of its own is not tried on blocks" if detector.heavy else "")
    if not task.allowance.declared or lacks:
        return _Bar(law, None, lacks)
    made_of = repr((task.step, history.name, task.look.segments))
    make = partial(calibrated, history, detector, task.look, comparisons)
    found = task.calibrations.find(f"{task.subject.monitor.name} {task.step.name}", made_of, make)
    if not len(found.highest):
        needed = f"{FEWEST_BLOCKS} are needed"
        return _Bar(law, None, f"the reference has {found.blocks} blocks of {history.block}, {needed}")
    surprise = critical(found.highest, alpha / max(1, len(task.look.versions)))
    return _Bar(law._replace(surprise=surprise), found, "")


class _Comparison(NamedTuple):
    window: Part
    reference: Part
    field: Field


def _comparisons(pairs: Sequence[Pair], detector: FieldDetector) -> Iterator[_Comparison]:
    for window, reference in pairs:
        if reference:
            shared = sorted(window.fields.keys() & reference.fields.keys())
            yield from (_Comparison(window, reference, field) for field in shared if field.kind in detector.kinds)


def _compare(task: Task, detector: FieldDetector, comparison: _Comparison, bar: _Bar) -> Finding:
    window, reference, field = comparison
    sides = Sides(reference.fields[field], window.fields[field])
    margin = bar.calibration.margins.get(Key(window.segment, field)) if bar.calibration else None
    if margin:
        score, lacks = decide(detector.compare, sides, margin, bar.level), ""
    else:
        score = task.call(detector.heavy, detector.compare, *sides, bar.level.alpha)
        lacks = bar.lacks or "too few blocks of the reference hold the field, or its threshold is an option"
    place = Place(window.version, window.segment, field.name, window.rows, reference.rows)._replace(**_basis(*sides))
    return task.decided(task.finding(place, score), unit(task.step.use, field.kind), bar.level.alpha, lacks)


def _basis(*sides: Distribution) -> dict[str, Any]:
    """Each side's curve may be off by its own error, and the score by both of them."""
    errors = [side.merged_error for side in sides if side.merged_error is not None]
    return {"basis": "profiles" if errors else "rows", "error_bound": sum(errors)}


def _without_reference(task: Task) -> list[Finding]:
    """A segment is compared with itself; with everything else it would differ without any drift."""
    return [
        task.finding(
            Place(f.version, f.segment, rows=f.rows),
            Score(None, None, reason=f"the reference has no rows of {f.segment}"),
        )
        for f in task.look.fields()
        if f.reference is None
    ]
