"""Pearson's chi-squared test of homogeneity."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from core.distribution import Distribution, Floats, Kind
from core.findings import Score

from ._bins import Counts, by_value
from ._design import Law, chi_squared_law, effects
from ._detectable import detectable
from ._divergences import needed
from ._roots import crossing
from ._shares import share_tail
from ._verdicts import Judged, undecidable, verdict

# Rows to expect in each cell for the chi-squared law to hold (Cochran 1952, Ann. Math. Stat. 23, 315-345).
_FEWEST_ROWS = 5


@dataclass(frozen=True)
class ChiSquared:
    """Cramér's V of the table (reference or window) x category: sqrt(X² / rows), 0..1; X² is Pearson's statistic.

    Missing is a category, and so is one that only one side holds. Where each cell expects five rows or more, the
    p-value is that of SciPy's `chi2_contingency(correction=False)`. Rarer categories make X² vary more than the
    chi-squared law says: then a multiple of a chi-squared variable is used, with the mean and variance X² has over
    all ways to deal the same rows out to the two sides (Dawson 1954, Biometrika 41, 280); and no p-value is below the
    probability that one category alone does it, which for rare ones exceeds any chi-squared law.
    Effect: total variation distance.

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "fr", "it"], [90, 90, 20])
    >>> ChiSquared().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        if undecided := undecidable(reference, window, self.kinds):
            return undecided
        counts = by_value(reference, window)
        null = _null(counts)
        if null is None:
            return Score(None, None, reason="every category occurs only once: nothing repeats that could change")
        statistic, rows = _pearson(counts), float(counts.reference.sum() + counts.window.sum())
        rare = _Rare.of(counts)
        critical = rare.critical_value(alpha, null.critical_value(alpha))
        threshold = math.sqrt(critical / rows)
        shown = detectable(reference, window, lambda r, w: _pearson(by_value(r, w)), needed(null, critical))
        judged = Judged(
            math.sqrt(statistic / rows),
            threshold,
            max(null.p_value(statistic), rare.p_value(statistic)),
            shown,
            threshold < 1,
        )
        return verdict(reference, window, judged)


def _pearson(counts: Counts) -> float:
    n, m = counts.reference.sum(), counts.window.sum()
    difference = counts.reference / n - counts.window / m
    return float((difference**2 / (counts.reference + counts.window)).sum() * n * m)


class _Rare(NamedTuple):
    """The probability that one rare category, against all others, alone makes X² as large: hypergeometric, added up."""

    share: Floats
    rows: tuple[Floats, Floats]

    @classmethod
    def of(cls, counts: Counts) -> "_Rare":
        n, m = float(counts.reference.sum()), float(counts.window.sum())
        share, effect = (counts.reference + counts.window) / (n + m), effects(counts)
        rare = share * min(n, m) < _FEWEST_ROWS
        return cls(share[rare], (n / effect[rare], m / effect[rare]))

    def p_value(self, statistic: float) -> float:
        if not statistic > 0:
            return 0.0
        n, m = self.rows
        differences = np.sqrt(statistic * self.share * (1 - self.share) * (1 / n + 1 / m))
        both = share_tail(differences, self.share, n, m) + share_tail(differences, self.share, m, n)
        return min(float(both.sum()), 1.0)

    def critical_value(self, alpha: float, least: float) -> float:
        """The statistic from which on the probability is below alpha, `least` or more."""
        return crossing(self.p_value, alpha, (least, least * 1e6)) if len(self.share) else least


def _null(counts: Counts) -> Law | None:
    """The law of X² when nothing has changed; None where it cannot vary."""
    plain, bins = chi_squared_law(counts), len(counts.reference)
    # Where the weights are large, fewer rows than their sum says tell how rare a category is.
    fewer = np.minimum(1 / effects(counts), 1.0)
    mean, variance = _moments(counts.reference * fewer, counts.window * fewer)
    if variance <= 1e-9 * mean:
        return None
    # What rare categories and what weights do to mean and variance is multiplied: one of them is mostly none.
    first, second = mean / max(bins - 1, 1), variance / (2 * max(bins - 1, 1))
    return Law(plain.first * first, plain.second * second, plain.third * second**2 / first)


def _moments(reference: Floats, window: Floats) -> tuple[float, float]:
    """Mean and variance of X² for even weights."""
    both, sides = reference + window, (float(reference.sum()), float(window.sum()))
    rows, bins = sum(sides), len(both)
    if bins == 1 or both.min() * min(sides) / rows >= _FEWEST_ROWS:
        return max(bins - 1.0, 1.0), 2 * max(bins - 1.0, 1.0)
    mean = (bins - 1) * rows / (rows - 1)
    unevenness_of_sides = (rows / sides[0] + rows / sides[1] - 4) / (rows - 2)
    unevenness = (float((rows / both).sum()) - bins**2) / (rows - 2)
    variance = (
        2
        * rows
        / (rows - 3)
        * ((rows - 2) / (rows - 1) - unevenness_of_sides)
        * ((bins - 1) * (rows - bins) / (rows - 1) - unevenness)
        + rows**2 / (rows - 1) * unevenness_of_sides * unevenness
    )
    return mean, variance
