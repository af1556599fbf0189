"""The Hellinger distance."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Kind
from core.findings import Score

from ._bins import Counts
from ._design import Law, chi_squared_law
from ._divergences import Divergence, Options, compare, shares


@dataclass(frozen=True)
class Hellinger:
    """sqrt(sum over bins of (√p - √q)² / 2), p and q the bin's shares of the reference and of the window; 0..1
    (Le Cam and Yang 2000, Asymptotics in Statistics, chapter 4).

    bins: as for `psi`. threshold: fires above this, whatever the number of rows; then there is no p-value. Without
    it, from
        alpha: 8 nm / (n + m) times the square for samples of n and m rows is a chi-squared variable with bins - 1
        degrees of freedom, here scaled up as its next term says.
    Effect: shift of the mean in standard deviations (numbers), total variation distance (categories).

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "fr"], [700, 300])
    >>> round(Hellinger().compare(reference, window, alpha=0.05).score, 3)
    0.145
    """

    bins: Annotated[int, Field(ge=2, le=1000)] = 10
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    kinds: ClassVar[frozenset[Kind]] = frozenset({"num", "cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        return compare((reference, window), _DIVERGENCE, Options(self.bins, self.threshold), alpha)


def _between(counts: Counts) -> float:
    p, q = shares(counts)
    return min(float(((np.sqrt(p) - np.sqrt(q)) ** 2).sum()) / 2, 1.0)


def _null(counts: Counts) -> Law:
    return chi_squared_law(counts).times(_excess(counts) / (8 * counts.harmonic_rows))


def _excess(counts: Counts) -> float:
    """By how much to widen the law: √p - √q has a variance of (1 + 7 / (8 n p)) / 4n in the next order of Poisson
    counts (Anscombe 1948, Biometrika 35, 246-254), and the variance of its square grows three times as fast.
    """
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    share = np.maximum((counts.reference + counts.window) / (n + m), 1 / min(n, m))
    rare = float((1 / share).sum()) / len(share)
    return 1 + 3 * 7 / 8 * rare * (1 / n**2 + 1 / m**2) / (1 / n + 1 / m) / 2


_DIVERGENCE = Divergence(_between, _null, root=True, highest=1.0)
