"""The L-infinity distance."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Kind
from core.findings import Score

from ._bins import Counts
from ._design import effects
from ._divergences import Divergence, Options, compare, shares
from ._shares import Difference


@dataclass(frozen=True)
class LInfinity:
    """Largest |p - q|, p and q a bin's shares of the reference and of the window; 0..1. For categories the one that has
    gained or lost most (TensorFlow Data Validation's `infinity_norm`).

    bins: as for `psi`. threshold: fires above this, whatever the number of rows; then there is no p-value. Without
    it, from
        alpha: the sum over bins of the probabilities that rows dealt out at random differ as much (hypergeometric,
        Bonferroni), which is an upper bound.
    Effect: shift of the mean in standard deviations (numbers), total variation distance (categories).

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "fr"], [700, 300])
    >>> round(LInfinity().compare(reference, window, alpha=0.05).score, 3)
    0.2
    """

    bins: Annotated[int, Field(ge=2, le=1000)] = 10
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    kinds: ClassVar[frozenset[Kind]] = frozenset({"num", "cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        return compare((reference, window), _DIVERGENCE, Options(self.bins, self.threshold), alpha)


def _between(counts: Counts) -> float:
    p, q = shares(counts)
    return float(np.abs(p - q).max())


def _null(counts: Counts) -> Difference:
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    effect = effects(counts)
    return Difference((counts.reference + counts.window) / (n + m), n / effect, m / effect)


_DIVERGENCE = Divergence(_between, _null, highest=1.0)
