"""What every univariate detector says alike: when nothing can be decided, remarks, and the size of a change."""

from typing import NamedTuple

import numpy as np

from core.distribution import Distribution, Kind
from core.findings import Score

from ._change import change
from ._curves import known_rows

TOO_FEW = "too few rows for any score to fire at this alpha"
WORDS = {"num": "numbers", "cat": "categories"}

# Two rows of equal weight may come out as 1.9999999999999998 effective ones.
_ROUNDING = 1e-9
_LARGEST = 1e45  # sixth powers of the differences are numbers still


def incomparable(reference: Distribution, window: Distribution) -> Score | None:
    """For what takes differences of numbers: None when they can be taken."""
    if undecided := undecidable(reference, window, frozenset({"num"})):
        return undecided
    reason = ""
    for side, name in ((reference, "reference"), (window, "window")):
        if not len(side.values):
            reason = reason or f"every value is missing in the {name}: there is nothing to measure a distance to"
        elif not np.abs(side.values[[0, -1]]).max() < _LARGEST:
            reason = reason or f"the {name} holds infinite values, or such that no distance can be measured"
        elif known_rows(side) < 2 - _ROUNDING:
            reason = reason or f"the {name} has {_rows(known_rows(side))} with a value, fewer than the 2 needed"
    if (
        not reason
        and 0
        < max(s.values[-1] for s in (reference, window)) - min(s.values[0] for s in (reference, window))
        < 1 / _LARGEST
    ):
        reason = "the values are too close to each other for any distance"
    return Score(None, None, reason=reason) if reason else None


def undecidable(
    reference: Distribution, window: Distribution, kinds: frozenset[Kind], rows: int = 2, same_kind: bool = True
) -> Score | None:
    """A Score that says why there is nothing to compare; None when there is. `rows`: the fewest
    that either side needs."""
    reason = ""
    for side, name in ((reference, "reference"), (window, "window")):
        if not side.effective_rows >= rows - _ROUNDING:  # NaN where weights are too large to be squared
            reason = reason or f"the {name} has {_rows(side.effective_rows)}, fewer than the {rows} needed"
    if same_kind and reference.kind != window.kind:
        reason = reason or f"the reference holds {WORDS[reference.kind]}, the window {WORDS[window.kind]}"
    elif reference.kind not in kinds:
        reason = reason or f"this detector does not compare {WORDS[reference.kind]}"
    return Score(None, None, reason=reason) if reason else None


def remark(reference: Distribution, window: Distribution, can_fire: bool = True) -> str:
    """What a person should know beside the numbers; '' mostly. `can_fire`: the score can exceed the threshold."""
    if not len(reference.values) or not len(window.values):
        where = [name for side, name in ((reference, "reference"), (window, "window")) if not len(side.values)]
        return f"every value is missing in the {' and the '.join(where)}"
    if not can_fire:
        return TOO_FEW
    if len(reference.values) == len(window.values) == 1 and not reference.missing + window.missing:
        same = reference.values[0] == window.values[0]
        return "constant, the same in reference and window" if same else "constant in reference and in window"
    return ""


class Judged(NamedTuple):
    """A statistic against its threshold; `detectable` as in `Score`."""

    statistic: float
    threshold: float
    p_value: float | None
    detectable: float | None = None
    can_fire: bool = True


def verdict(reference: Distribution, window: Distribution, judged: Judged) -> Score:
    """With the size of the change, its interval and what a person should know."""
    size, interval = change(reference, window)
    why = remark(reference, window, judged.can_fire)
    return Score(judged.statistic, judged.threshold, judged.p_value, size, why, interval, judged.detectable)


def _rows(count: float) -> str:
    return f"{count:.3g} row" if count == 1 else f"{count:.3g} rows"
