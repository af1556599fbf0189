"""A field detector over a look: one finding for each field that window and reference share."""

from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from core.contract import Contract, Held
from core.findings import Finding, Score
from detectors import ContractDetector, FieldDetector
from pipelines.look import Pair
from pipelines.task import ALPHA, Place, StepResult, Task
from storage.windows import Field, Part

# numpy sorts and searches without the interpreter's lock; more threads would take cores from the store.
THREADS = 2


def compare_fields(task: Task, detector: FieldDetector) -> StepResult:
    """Every field of the detector's kinds in every version and segment; alpha is shared out over all of them."""
    tested = sum(len(_tested(detector, found.window, found.reference or set())) for found in task.look.fields())
    alpha = ALPHA / max(1, tested)
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
            for field in _tested(detector, window.fields.keys(), reference.fields.keys()):
                yield _Comparison(window, reference, field)


def _tested(detector: FieldDetector, window: Set[Field], reference: Set[Field]) -> list[Field]:
    """What both hold under one kind; where the kind itself may be wrong, once what both hold under any."""
    ours, theirs = ([field for field in side if field.kind in detector.kinds] for side in (window, reference))
    if not isinstance(detector, ContractDetector):
        return sorted(set(ours) & set(theirs))
    names = {field.name for field in theirs}
    return sorted({field.name: field for field in sorted(ours) if field.name in names}.values())


def _compare(task: Task, detector: FieldDetector, comparison: _Comparison, alpha: float) -> Finding:
    window, reference, field = comparison
    if isinstance(detector, ContractDetector):
        contract = task.subject.contracts.get(field.name, Contract())
        before, after = _held(reference, field.name), _held(window, field.name)
        score = task.call(detector.heavy, detector.check, contract, before, after, alpha)
    else:
        sides = reference.fields[field], window.fields[field]
        score = task.call(detector.heavy, detector.compare, *sides, alpha)
    return task.finding(Place(window.version, window.segment, field.name, window.rows, reference.rows), score)


def _held(part: Part, name: str) -> Held:
    return {field.kind: values for field, values in part.fields.items() if field.name == name}


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
