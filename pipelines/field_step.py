"""A field detector over a look: one finding for each field that window and reference share."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from core.distribution import Distribution
from core.findings import Finding, Score
from detectors import FieldDetector
from pipelines.look import Pair
from pipelines.task import ALPHA, Place, StepResult, Task
from storage.windows import Field, Part

# numpy sorts and searches without the interpreter's lock; more threads would take cores from the store.
THREADS = 2


def compare_fields(task: Task, detector: FieldDetector) -> StepResult:
    """Every field of the detector's kinds in every version and segment; alpha is shared out over all of them."""
    tested = [field for f in task.look.fields() for field in f.window & (f.reference or set())]
    alpha = ALPHA / max(1, sum(field.kind in detector.kinds for field in tested))
    findings: list[Finding] = []
    with ThreadPoolExecutor(THREADS) as threads:
        for pairs in task.look.pairs():
            comparisons = list(_comparisons(pairs, detector))
            findings += threads.map(lambda c: _compare(task, detector, c, alpha), comparisons)
    findings += _without_reference(task)
    return StepResult(sorted(findings, key=lambda f: (f.version, f.segment, f.field)))


class _Comparison(NamedTuple):
    window: Part
    reference: Part
    field: Field


def _comparisons(pairs: Sequence[Pair], detector: FieldDetector) -> Iterator[_Comparison]:
    for window, reference in pairs:
        if reference:
            shared = sorted(window.fields.keys() & reference.fields.keys())
            yield from (_Comparison(window, reference, field) for field in shared if field.kind in detector.kinds)


def _compare(task: Task, detector: FieldDetector, comparison: _Comparison, alpha: float) -> Finding:
    window, reference, field = comparison
    sides = reference.fields[field], window.fields[field]
    score = task.call(detector.heavy, detector.compare, *sides, alpha)
    place = Place(window.version, window.segment, field.name, window.rows, reference.rows)
    return task.finding(place._replace(**_basis(*sides)), score)


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
