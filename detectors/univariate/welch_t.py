"""Welch's t-test."""

import math
from dataclasses import dataclass
from typing import ClassVar

from core.distribution import Distribution, Kind
from core.findings import Score
from detectors._power import of_distance

from ._change import mean_variance, welch_freedom
from ._curves import cells, known_rows
from ._detectable import detectable
from ._heavy import Tail
from ._verdicts import Judged, incomparable, verdict


@dataclass(frozen=True)
class WelchT:
    """|t|: the difference of two means over its standard error, variances not taken to be equal (Welch 1947,
    Biometrika 34, 28-35): SciPy's `ttest_ind(…, equal_var=False)`. Only the mean is looked at.

    Missing values are left out: `missing_rate` watches their share. Infinite values have no mean.
    p-value: Student's t; where a few far values decide, the tail of a difference of means of the values that there are.
    Effect: shift of the mean in standard deviations of the reference.

    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> reference = Distribution.of_numbers(rng.normal(300, 3, 1000))
    >>> window = Distribution.of_numbers(rng.normal(301, 3, 1000))
    >>> WelchT().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        from scipy.special import stdtr, stdtrit

        if undecided := incomparable(reference, window):
            return undecided
        if not reference.deviation + window.deviation > 0:
            same = reference.values[0] == window.values[0]
            return Score(
                None, None, reason=f"both are constant, {'the same' if same else 'and differ'}: no error to go by"
            )
        rows = known_rows(reference), known_rows(window)
        freedom = welch_freedom((mean_variance(reference), mean_variance(window)), rows)
        found = cells(reference, window, missing=False)
        tail = Tail(found.ends, found.shares, *rows)
        statistic = t(reference, window)
        # A window without the rare far values has too small an error of its own: all values together tell the tail.
        ratio = math.sqrt(mean_variance(reference) + mean_variance(window)) / tail.deviation
        threshold = max(-float(stdtrit(freedom, alpha / 2)), tail.deviate(alpha) / ratio)
        p_value = max(min(2 * float(stdtr(freedom, -statistic)), 1.0), tail.beyond(statistic * ratio))
        shown = detectable(reference, window, t, of_distance(threshold, 1.0))
        return verdict(reference, window, Judged(statistic, threshold, p_value, shown))


def t(reference: Distribution, window: Distribution) -> float:
    """|t|."""
    difference = abs(window.mean - reference.mean)
    return difference / math.sqrt(mean_variance(reference) + mean_variance(window)) if difference else 0.0
