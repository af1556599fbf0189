"""Kuiper's test of two samples."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from core.distribution import Distribution, Kind
from core.findings import Score
from detectors._power import of_largest

from ._curves import curves
from ._design import interval_effect
from ._detectable import detectable
from ._verdicts import Judged, undecidable, verdict

_HALVINGS = 60


@dataclass(frozen=True)
class Kuiper:
    """V = D+ + D-, the largest differences of two cumulative distributions of numbers to either side, 0..1: unlike the
    Kolmogorov-Smirnov statistic as sensitive in the tails as in the middle, and the same wherever a cycle is cut
    (Kuiper 1960, Proc. Kon. Ned. Akad. Wet. A 63, 38-47).

    Missing values sort before every number, so a change of their share counts. Infinities are values like others.
    p-value: the limit law; conservative for small samples and for ties.
    Effect: shift of the mean in standard deviations of the reference.

    >>> rng = np.random.default_rng(1)
    >>> reference = Distribution.of_numbers(rng.normal(300, 3, 1000))
    >>> window = Distribution.of_numbers(rng.normal(300, 4, 1000))
    >>> Kuiper().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        if undecided := undecidable(reference, window, self.kinds):
            return undecided
        rows = 1 / reference.effective_rows + 1 / window.effective_rows
        spread = math.sqrt(rows * interval_effect(reference, window))
        statistic, threshold = both_sides(reference, window), critical_value(alpha) * spread
        shown = detectable(reference, window, both_sides, of_largest(threshold, spread))
        judged = Judged(statistic, threshold, p_value(statistic / spread), shown, threshold < 1)
        return verdict(reference, window, judged)


def both_sides(reference: Distribution, window: Distribution) -> float:
    """V."""
    difference = curves(reference, window).difference
    return float(difference.max() - difference.min())


def p_value(standard: float) -> float:
    """P(V > x sqrt(1 / n + 1 / m)) in the limit: 2 sum (4 j² x² - 1) exp(-2 j² x²)."""
    if standard < 0.4:  # there 1 to 15 digits
        return 1.0
    squares = (np.arange(1, 16) * standard) ** 2
    return min(float(2 * ((4 * squares - 1) * np.exp(-2 * squares)).sum()), 1.0)


@lru_cache(maxsize=1024)
def critical_value(alpha: float) -> float:
    low, high = 0.4, 30.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if p_value(middle) < alpha else (middle, high)
    return high
