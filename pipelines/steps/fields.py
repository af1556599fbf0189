"""A field detector over a look: one finding for each field that window and reference share."""

from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from core.contract import Contract, Held
from core.distribution import Distribution
from core.findings import Finding, Score
from detectors import ContractDetector, FieldDetector, MissingDetector
from pipelines.alarms.calibrating import Key, calibrated
from pipelines.alarms.calibration import FEWEST_BLOCKS, Calibration, Level, Sides, critical, decide
from pipelines.steps.task import Place, StepResult, Task
from pipelines.steps.verdict import unit
from pipelines.windows.look import THREADS, Fields, Pair, completed
from storage.windows.distributions import Field, Part


def compare_fields(task: Task, detector: FieldDetector) -> StepResult:
    """Every field of the detector's kinds in every version and segment; alpha is shared out over all of them."""
    looked_at = [(_seen(detector, found), found.reference or set()) for found in task.look.fields()]
    tested = sum(len(_tested(detector, *sides)) for sides in looked_at)
    bar = _bar(task, detector, max(1, tested))
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
    if isinstance(detector, ContractDetector):
        lacks = "what is declared, or the reference's own range and kinds, is not tried on blocks"
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
    for held, reference, gone in pairs:
        if reference:
            window = completed(held, gone) if isinstance(detector, MissingDetector) else held
            for field in _tested(detector, window.fields.keys(), reference.fields.keys()):
                yield _Comparison(window, reference, field)


def _seen(detector: FieldDetector, found: Fields) -> Set[Field]:
    return found.window | found.gone if isinstance(detector, MissingDetector) else found.window


def _tested(detector: FieldDetector, window: Set[Field], reference: Set[Field]) -> list[Field]:
    """What both hold under one kind; where the kind itself may be wrong, once what both hold under any."""
    ours, theirs = ([field for field in side if field.kind in detector.kinds] for side in (window, reference))
    if not isinstance(detector, ContractDetector):
        return sorted(set(ours) & set(theirs))
    names = {field.name for field in theirs}
    return sorted({field.name: field for field in sorted(ours) if field.name in names}.values())


def _compare(task: Task, detector: FieldDetector, comparison: _Comparison, bar: _Bar) -> Finding:
    window, reference, field = comparison
    if isinstance(detector, ContractDetector):
        return _check(task, detector, comparison, bar)
    sides = Sides(reference.fields[field], window.fields[field])
    margin = bar.calibration.margins.get(Key(window.segment, field)) if bar.calibration else None
    if margin:
        score, lacks = decide(detector.compare, sides, margin, bar.level), ""
    else:
        score = task.call(detector.heavy, detector.compare, *sides, bar.level.alpha)
        lacks = bar.lacks or "too few blocks of the reference hold the field, or its threshold is an option"
    place = Place(window.version, window.segment, field.name, window.rows, reference.rows)._replace(**_basis(*sides))
    return task.decided(task.finding(place, score), unit(task.step.use, field.kind), bar.level.alpha, lacks)


def _check(task: Task, detector: ContractDetector, comparison: _Comparison, bar: _Bar) -> Finding:
    window, reference, field = comparison
    contract = task.subject.contracts.get(field.name, Contract())
    before, after = _held(reference, field.name), _held(window, field.name)
    score = task.call(detector.heavy, detector.check, contract, before, after, bar.level.alpha)
    place = Place(window.version, window.segment, field.name, window.rows, reference.rows)
    place = place._replace(**_basis(*before.values(), *after.values()))
    return task.decided(task.finding(place, score), unit(task.step.use, field.kind), bar.level.alpha, bar.lacks)


def _basis(*sides: Distribution) -> dict[str, Any]:
    """Each side's curve may be off by its own error, and the score by both of them."""
    errors = [side.merged_error for side in sides if side.merged_error is not None]
    return {"basis": "profiles" if errors else "rows", "error_bound": sum(errors)}


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
