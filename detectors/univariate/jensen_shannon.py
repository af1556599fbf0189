"""The Jensen-Shannon distance."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Kind
from core.findings import Score

from ._bins import Counts
from ._design import Law, chi_squared_law
from ._divergences import Divergence, Options, compare, shares

# Where p and q differ little, the divergence in bits is 1 / (8 ln 2) times the sum of (p - q)² / mean (Lin 1991,
# IEEE Trans. Inf. Theory 37, 145-151, by expansion), and Pearson's X² is nm / (n + m) times the same sum.
_BITS_TO_PEARSON = 8 * math.log(2)


@dataclass(frozen=True)
class JensenShannon:
    """Square root of the Jensen-Shannon divergence in bits, 0..1: SciPy's `jensenshannon(p, q, base=2)`.

    bins: as for `psi`. threshold: fires above this, whatever the number of rows; then there is no p-value. Without it,
        from alpha: 8 ln 2 nm / (n + m) times the divergence is a chi-squared variable with bins - 1 degrees of freedom
        for samples of n and m rows, here scaled up to the mean that the next term of the expansion gives.

    Effect: shift of the mean in standard deviations (numbers), total variation distance (categories).

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "fr"], [700, 300])
    >>> round(JensenShannon().compare(reference, window, alpha=0.05).score, 3)
    0.174
    """

    bins: Annotated[int, Field(ge=2, le=1000)] = 10
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    kinds: ClassVar[frozenset[Kind]] = frozenset({"num", "cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        return compare((reference, window), _DIVERGENCE, Options(self.bins, self.threshold), alpha)


def _null(counts: Counts) -> Law:
    # Twice what the mean is off by: the variance is off by more.
    excess = 1 + 2 * _excess(counts) / max(len(counts.reference) - 1, 1)
    return chi_squared_law(counts).times(excess / (counts.harmonic_rows * _BITS_TO_PEARSON))


def _excess(counts: Counts) -> float:
    """By how much the mean exceeds the degrees of freedom: the expansion's third and fourth powers in the noise of p
    and q, whose first moments are Poisson's. The series needs a row to expect in each bin: rarer ones count as one.
    """
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    share = (counts.reference + counts.window) / (n + m)
    noise = (1 / n**2 + 1 / m**2) / (2 * (1 / n + 1 / m)) - (1 / n + 1 / m) / 8
    return noise * float((1 / np.maximum(share, 1 / min(n, m))).sum())


def _divergence_bits(counts: Counts) -> float:
    from scipy.special import rel_entr

    p, q = shares(counts)
    middle = (p + q) / 2
    # Rounding leaves -1e-17 for equal p and q.
    return min(max(float((rel_entr(p, middle) + rel_entr(q, middle)).sum() / (2 * math.log(2))), 0.0), 1.0)


_DIVERGENCE = Divergence(_divergence_bits, _null, root=True, highest=1.0)
