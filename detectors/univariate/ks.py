"""The Kolmogorov-Smirnov test of two samples."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.distribution import Distribution, Floats, Kind
from core.findings import Score
from detectors._power import of_largest

from ._design import curve_effect
from ._detectable import detectable
from ._kolmogorov import critical_value, p_value
from ._verdicts import Judged, undecidable, verdict

Indices = NDArray[np.intp]

# Values from one that is looked up first to the next. 32 to 256 take about the same time on a million values each.
_BLOCK = 64


@dataclass(frozen=True)
class KS:
    """Largest difference D of two cumulative distributions of numbers, 0..1 (Smirnov 1939).

    Missing values sort before every number, so a change of their share counts. Infinities are values like others.
    p-value: exact for small samples, else asymptotic; conservative with ties. Equal to SciPy's `ks_2samp`.
    Effect: shift of the mean in standard deviations of the reference.

    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> reference = Distribution.of_numbers(rng.normal(300, 3, 1000))
    >>> window = Distribution.of_numbers(rng.normal(301, 3, 1000))
    >>> KS().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        if undecided := undecidable(reference, window, self.kinds):
            return undecided
        effect_of_weights = curve_effect(reference, window)
        sizes = reference.effective_rows / effect_of_weights, window.effective_rows / effect_of_weights
        statistic = largest_difference(reference, window)
        threshold = critical_value(alpha, *sizes)
        needed = of_largest(threshold, math.sqrt(1 / sizes[0] + 1 / sizes[1]))
        shown = detectable(reference, window, largest_difference, needed)
        judged = Judged(statistic, threshold, p_value(statistic, *sizes), shown, threshold < 1)
        return verdict(reference, window, judged)


def largest_difference(one: Distribution, other: Distribution) -> float:
    """sup |F - G| over all numbers and over missing, which comes before them.

    The difference can be largest only where the sparser sample has a value, or just before one. Every 64th of these
    is looked up in the other sample; both curves only rise, so this bounds the difference between two of them, and
    only where the bound exceeds the largest difference found are the values in between looked up too.
    """
    sparse, dense = sorted((one, other), key=lambda numbers: len(numbers.values))
    at_missing = abs(one.missing / one.total - other.missing / other.total)
    if not len(sparse.values):
        return at_missing
    f, g = _Curve.of(sparse), _Curve.of(dense)
    last = len(f.values) - 1
    edges = np.append(np.arange(0, last, _BLOCK), last)
    below, upto = g.at(f.values[edges])
    largest = max(at_missing, _largest(f, edges, below, upto))
    above = f.shares(edges[1:]) - upto[:-1]
    under = below[1:] - f.shares(edges[:-1] + 1)
    blocks = edges[:-1][np.maximum(above, under) > largest]
    inner = np.minimum(blocks[:, None] + np.arange(1, _BLOCK), last).ravel()
    return max(largest, _largest(f, inner, *g.at(f.values[inner])))


class _Curve(NamedTuple):
    """A cumulative distribution: `heights[i]` rows have values before `values[i]`, the missing not among them."""

    values: Floats
    heights: Floats
    missing: float
    total: float

    @classmethod
    def of(cls, numbers: Distribution) -> "_Curve":
        return cls(numbers.values, numbers.heights, numbers.missing, numbers.total)

    def shares(self, indices: Indices) -> Floats:
        """Shares of the rows that are missing or before `values[i]`; up to it at i + 1."""
        return (self.heights[indices] + self.missing) / self.total

    def at(self, points: Floats) -> tuple[Floats, Floats]:
        """Shares just before and up to each of the points, which ascend."""
        after = np.searchsorted(self.values, points, "right")
        hit = self.values[np.maximum(after - 1, 0)] == points
        return self.shares(after - hit), self.shares(after)


def _largest(f: _Curve, indices: Indices, below: Floats, upto: Floats) -> float:
    """Largest |f - g| at and just before f's values at `indices`, given g there."""
    if not len(indices):
        return 0.0
    at, before = f.shares(indices + 1) - upto, below - f.shares(indices)
    return float(max(at.max(), before.max()))
