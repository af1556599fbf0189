"""What every univariate detector says alike: when nothing can be decided, remarks, and the size of a change."""

import numpy as np

from core.distribution import Distribution, Kind
from core.findings import Score

from ._bins import by_value

_WORDS = {"num": "numbers", "cat": "categories"}

# Two rows of equal weight may come out as 1.9999999999999998 effective ones.
_ROUNDING = 1e-9


def undecidable(reference: Distribution, window: Distribution, kinds: frozenset[Kind], rows: int = 2) -> Score | None:
    """A Score that says why there is nothing to compare; None when there is. `rows`: the fewest either side needs."""
    reason = ""
    for side, name in ((reference, "reference"), (window, "window")):
        if not side.effective_rows >= rows - _ROUNDING:  # NaN where weights are too large to be squared
            reason = reason or f"the {name} has {_rows(side.effective_rows)}, fewer than the {rows} needed"
    if reference.kind != window.kind:
        reason = reason or f"the reference holds {_WORDS[reference.kind]}, the window {_WORDS[window.kind]}"
    elif reference.kind not in kinds:
        reason = reason or f"this detector does not compare {_WORDS[reference.kind]}"
    return Score(None, None, reason=reason) if reason else None


def remark(reference: Distribution, window: Distribution, can_fire: bool = True) -> str:
    """What a person should know beside the numbers; '' mostly. `can_fire`: the score can exceed the threshold."""
    if not len(reference.values) or not len(window.values):
        where = [name for side, name in ((reference, "reference"), (window, "window")) if not len(side.values)]
        return f"every value is missing in the {' and the '.join(where)}"
    if not can_fire:
        return "too few rows for any score to fire at this alpha"
    if len(reference.values) == len(window.values) == 1 and not reference.missing + window.missing:
        same = reference.values[0] == window.values[0]
        return "constant, the same in reference and window" if same else "constant in reference and in window"
    return ""


def effect(reference: Distribution, window: Distribution) -> float | None:
    """How large the change is, whatever the number of rows.

    Numbers: shift of the mean in standard deviations of the reference, missing values left out; None where that is
    undefined (constant reference, infinite values, nothing but missing). Categories: total variation distance, 0..1,
    missing being a category of its own: the share of rows that would have to change.
    """
    if reference.kind == "cat":
        counts = by_value(reference, window)
        difference = counts.reference / counts.reference.sum() - counts.window / counts.window.sum()
        return float(np.abs(difference).sum() / 2)
    with np.errstate(all="ignore"):
        shift = (window.mean - reference.mean) / reference.deviation if reference.deviation > 0 else np.nan
    return float(shift) if np.isfinite(shift) else None


def _rows(count: float) -> str:
    return f"{count:.3g} row" if count == 1 else f"{count:.3g} rows"
