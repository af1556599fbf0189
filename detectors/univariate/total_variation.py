"""The total variation distance."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Kind
from core.findings import Score

from ._bins import Counts
from ._design import effects
from ._divergences import Divergence, Options, compare, shares
from ._norms import Norm


@dataclass(frozen=True)
class TotalVariation:
    """Half the sum over bins of |p - q|, p and q the bin's shares of the reference and of the window; 0..1: the share
    of rows that would have to change (Gibbs and Su 2002, Int. Stat. Rev. 70, 419-435).

    bins: as for `psi`. threshold: fires above this, whatever the number of rows; then there is no p-value. Without
    it, from
        alpha, the law of a sum of absolute values of normal variables, far out an upper bound (`_norms.py`).
    Effect: shift of the mean in standard deviations (numbers), total variation distance (categories).

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "fr"], [700, 300])
    >>> round(TotalVariation().compare(reference, window, alpha=0.05).score, 3)
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
    return min(float(np.abs(p - q).sum()) / 2, 1.0)


def _null(counts: Counts) -> Norm:
    """No set of bins has a share that varies more than one of a half."""
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    share, effect, rows = (counts.reference + counts.window) / (n + m), effects(counts), 1 / n + 1 / m
    if len(share) < 2:
        return Norm(1.0, 1.0, 1.0)
    spread = (np.eye(len(share)) - share[:, None]) * np.sqrt(share * effect * rows)
    return Norm.of(spread @ spread.T, np.full(len(share), 0.5), math.sqrt(float(effect.max()) * rows) / 2)


_DIVERGENCE = Divergence(_between, _null, highest=1.0)
