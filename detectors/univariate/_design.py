"""What sampling does to the laws of the statistics when what is kept depends on the values.

Weights that know nothing of the values only make the rows fewer: (sum w)² / sum w² of them (Kish 1965). Where slow,
failed or chosen rows are kept whole and the others not, the shares of the others vary more than that says and theirs
less. The variances are those of the sampling design, with squared weights (Horvitz and Thompson 1952).
"""

from typing import NamedTuple

import numpy as np

from core.distribution import Distribution, Floats, summed

from ._bins import Counts

_POINTS = 512  # where the variance of a curve is looked at: it changes slowly from one to the next
_PAIRS = 128  # where a variance is looked at between any two
_ORDINARY_ROWS = 10.0  # as many as a bin should have for its statistics to be trusted, see `_bins.py`


class Law(NamedTuple):
    """A sum of squares of normal variables, given by the sums of their variances' first, second and third powers.

    It is taken for a chi-squared variable, moved and scaled to have the same mean, variance and skewness (Imhof 1961,
    Biometrika 48, 419-426, after Pearson): exact where the variances are equal, and good far out in the tail.
    """

    first: float
    second: float
    third: float

    def p_value(self, statistic: float) -> float:
        from scipy.special import chdtrc

        scale, freedom = self.third / self.second, self.second**3 / self.third**2
        return float(chdtrc(freedom, max((statistic - self.first) / scale + freedom, 0.0)))

    def critical_value(self, alpha: float) -> float:
        """The statistic whose p-value is alpha."""
        from scipy.special import chdtri

        scale, freedom = self.third / self.second, self.second**3 / self.third**2
        return max(self.first + scale * (float(chdtri(freedom, alpha)) - freedom), 0.0)

    def times(self, factor: float) -> "Law":
        return Law(self.first * factor, self.second * factor**2, self.third * factor**3)


def chi_squared(freedom: float) -> Law:
    return Law(freedom, freedom, freedom)


def chi_squared_law(counts: Counts) -> Law:
    """The law of Pearson's X² of these bins when nothing has changed: chi-squared with bins - 1 degrees of freedom
    for even weights.

    Else X² is a sum of squares whose variances are the eigenvalues of the shares' covariance over the binomial one
    (Rao and Scott 1981, J. Am. Stat. Assoc. 76, 221-230). That matrix is P A P: A = diag(effects), P projects along the
    square roots of the shares; here are the traces of its powers.
    """
    share = (counts.reference + counts.window) / float(counts.reference.sum() + counts.window.sum())
    effect = effects(counts)
    one, two, three = (float(share @ effect**power) for power in (1, 2, 3))
    law = Law(
        float(effect.sum()) - one,
        float((effect**2).sum()) - 2 * two + one**2,
        float((effect**3).sum()) - 3 * three + 3 * one * two - one**3,
    )
    return law if len(share) > 1 and min(law) > 0 else chi_squared(1.0)


def effects(counts: Counts) -> Floats:
    """How much more each bin's share varies than with even weights, shape (bins,); all 1 with these.

    A few rows of little weight do not say that a heavy one could not have been among them, and then the variance would
    be small by chance: such a bin is taken to hold some ordinary rows more.
    """
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    both = counts.reference + counts.window
    even = both / (n + m)
    varies = _variances(counts.reference, counts.reference_variances, even / n)
    varies = varies + _variances(counts.window, counts.window_variances, even / m)
    found = varies / (even * (1 / n + 1 / m))
    effect: Floats = np.maximum(found, (found * both + _ORDINARY_ROWS) / (both + _ORDINARY_ROWS))
    return effect


def curve_effect(reference: Distribution, window: Distribution) -> float:
    """How many times more rows even weights would need: 1, or more where the weights go with the values.

    Kolmogorov's law is of a difference of curves that varies most at the median. Weights move its largest variance to
    other places and raise it; at the median it is always what the effective rows say. To take the largest variance for
    the median's gives the difference the law's tail, or a lighter one. At worst, when nearly all that weighs much lies
    close to the median, so that the variance is the same on both sides of it, 7 % of differences exceed the 5 % mark.
    """
    if reference.squares is None and window.squares is None:
        return 1.0
    points = np.concatenate([_some(reference.values), _some(window.values)])
    largest = float((_curve_variance(reference, points) + _curve_variance(window, points)).max())
    return max(4 * largest / (1 / reference.effective_rows + 1 / window.effective_rows), 1.0)


def interval_effect(reference: Distribution, window: Distribution) -> float:
    """The same for the share of rows between any two values, which Kuiper's law is of."""
    if reference.squares is None and window.squares is None:
        return 1.0
    points = np.unique(np.concatenate([_some(reference.values, _PAIRS), _some(window.values, _PAIRS)]))
    largest = sum(_interval_variance(side, points) for side in (reference, window))
    even = 1 / reference.effective_rows + 1 / window.effective_rows
    return max(4 * float(np.max(largest)) / even, 1.0)


def _variances(counts: Floats, variances: Floats, even: Floats) -> Floats:
    """Of one side's shares; `even` are those that even weights have when nothing has changed."""
    if np.allclose(variances * counts.sum() ** 2, counts, rtol=1e-9, atol=0):
        return even
    return np.where(counts > 0, variances, even)


def _some(values: Floats, most: int = _POINTS) -> Floats:
    return values[np.unique(np.linspace(0, len(values) - 1, min(len(values), most)).astype(np.int64))]


def _curve_variance(numbers: Distribution, points: Floats) -> Floats:
    """Of the share of rows that are missing, and of those that are missing or up to each point."""
    at = np.append(0, np.searchsorted(numbers.values, points, "right"))
    share = (numbers.heights[at] + numbers.missing) / numbers.total
    known, missing = numbers.variances
    below = summed(known)[at] + missing
    variance: Floats = below * (1 - 2 * share) + share**2 / numbers.effective_rows
    return variance


def _interval_variance(numbers: Distribution, points: Floats) -> Floats:
    """Of the shares of rows between any two of the points, and beyond them: (points + 2, points + 2)."""
    at = np.searchsorted(numbers.values, points, "right")
    known, missing = numbers.variances
    share = np.concatenate([[0.0], (numbers.heights[at] + numbers.missing) / numbers.total])
    below = np.concatenate([[0.0], summed(known)[at] + missing])
    part, weight = np.abs(share[:, None] - share), np.abs(below[:, None] - below)
    variance: Floats = weight * (1 - 2 * part) + part**2 / numbers.effective_rows
    return variance
