"""The Mann-Whitney U test, or Wilcoxon rank-sum test."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from core.distribution import Distribution, Kind
from core.findings import Score
from detectors._power import of_distance

from ._curves import Cells, Curves, curves
from ._detectable import detectable
from ._quadratic import even, pooled_cells, rank_tail
from ._verdicts import Judged, undecidable, verdict


@dataclass(frozen=True)
class MannWhitney:
    """|2 U / nm - 1|, 0..1: how much more often one of two rows, drawn from window and reference, has the greater value
    than the other has it; equal values count half (Mann and Whitney 1947, Ann. Math. Stat. 18, 50-60). It is the
    rank-biserial correlation; changes that leave as many values higher as lower are not seen.

    Missing values sort before every number, so a change of their share counts. Infinities are values like others.
    p-value: normal, with the corrections for ties and continuity, as SciPy's `mannwhitneyu(…, method="asymptotic")`;
    where rare values decide, of the ranks' own law, which has a heavier tail.
    Effect: shift of the mean in standard deviations of the reference.

    >>> rng = np.random.default_rng(1)
    >>> reference = Distribution.of_numbers(rng.normal(300, 3, 1000))
    >>> window = Distribution.of_numbers(rng.normal(301, 3, 1000))
    >>> MannWhitney().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        from scipy.special import ndtr, ndtri

        if undecided := undecidable(reference, window, self.kinds):
            return undecided
        n, m = reference.effective_rows, window.effective_rows
        found = pooled_cells(reference, window)
        tail = rank_tail(found, n, m)
        statistic, evenness = _compared(curves(reference, window))
        deviation = 2 * math.sqrt(_rank_variance(found, evenness if even(reference, window) else None))
        half_step = 1 / (n * m)
        threshold = -float(ndtri(tail.gaussian(alpha) / 2)) * deviation + half_step
        p_value = tail.p_value(min(2 * float(ndtr(-(statistic - half_step) / deviation)), 1.0)) if deviation else 1.0
        shown = detectable(reference, window, imbalance, of_distance(threshold, deviation))
        return verdict(reference, window, Judged(statistic, threshold, p_value, shown, threshold < 1))


def imbalance(reference: Distribution, window: Distribution) -> float:
    """|P(the window's value is greater) - P(the reference's is)|."""
    return _compared(curves(reference, window))[0]


def _compared(found: Curves) -> tuple[float, float]:
    """The imbalance, and the variance of the difference of the mean ranks (shares of all rows) for even weights."""
    greater = cubes = 0.0
    for part in found.blocks():
        greater += float((part.f[1:] + part.f[:-1]) @ np.diff(part.g))
        shares = np.diff(part.pooled)
        cubes += float(shares @ (shares * shares))
    rows = found.n + found.m
    return abs(greater - 1), max(1 - cubes, 0.0) / 12 * rows / max(rows - 1, 1) / found.harmonic_rows


def _rank_variance(found: Cells, even: float | None) -> float:
    if even is not None:
        return even
    away = found.middles - found.shares @ found.middles
    within = found.shares**2 / 12  # of ranks in a cell; too much where the cell is one value
    return float(found.variances @ (away**2 + within))
