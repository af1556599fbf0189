"""Statistics that are sums of squares of differences: their laws, and the verdict on one."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.distribution import Distribution, Floats
from detectors._power import of_quadratic

from ._curves import Cells, cells
from ._detectable import Statistic, detectable
from ._heavy import Tail
from ._squares import Squares
from ._verdicts import Judged

# Eigenvalues that are kept one by one; the others together vary as good as not at all.
_LARGEST = 30
_TERMS = 60


@dataclass(frozen=True)
class Quadratic:
    """scale * statistic + shift has the `law`, and no lighter tail than the difference of means in `tail`."""

    law: Squares
    scale: float = 1.0
    shift: float = 0.0
    tail: Tail | None = None

    def judge(self, pair: tuple[Distribution, Distribution], statistic: Statistic, alpha: float) -> Judged:
        value = statistic(*pair)
        allowed = max(self.tail.gaussian(alpha) if self.tail else alpha, sys.float_info.min)
        standard = _critical_value(self.law, allowed)
        p_value = self.law.p_value(value * self.scale + self.shift)
        p_value = self.tail.p_value(p_value) if self.tail else p_value
        needed = of_quadratic(standard, self.law.mean, self.law.deviation, float(self.law.eigenvalues.max()))
        # What lies between two distributions has no share in the law's mean: the scale is all that counts.
        shown = detectable(*pair, statistic, needed / self.scale)
        return Judged(value, (standard - self.shift) / self.scale, p_value, shown)


@lru_cache(maxsize=1024)
def _critical_value(law: Squares, alpha: float) -> float:
    return law.critical_value(alpha)


@lru_cache
def limit_law(eigenvalue: Callable[[Floats], Floats], mean: float) -> Squares:
    """Of infinitely many eigenvalues, the j-th (from 1) given, that add up to `mean`."""
    first = eigenvalue(np.arange(1.0, _TERMS + 1))
    return Squares(first, mean - float(first.sum()))


def cell_law(cells: Cells, weights: Floats, middle: bool = True) -> Squares:
    """Of the sum of weight * (difference of the cumulative distributions)² over the cells: at the middle of each, or
    just before each.
    """
    share = 0.5 if middle else 0.0
    upto = np.tri(len(weights), k=-1) + share * np.eye(len(weights))
    spread = (upto - (upto @ cells.shares)[:, None]) * np.sqrt(np.outer(weights, cells.variances))
    eigenvalues = np.linalg.svd(spread, compute_uv=False) ** 2
    kept = eigenvalues[:_LARGEST][eigenvalues[:_LARGEST] > 1e-12 * max(eigenvalues[0], 1e-300)]
    if not len(kept):
        return Squares(np.array([1.0]))
    return Squares(kept, float(eigenvalues.sum() - kept.sum()))


def even(reference: Distribution, window: Distribution) -> bool:
    """Neither has rows of different weights."""
    return reference.squares is None and window.squares is None


def pooled_cells(reference: Distribution, window: Distribution) -> Cells:
    return cells(reference, window, missing=bool(reference.missing + window.missing))


def rank_tail(cells: Cells, n: float, m: float) -> Tail:
    """Of the difference of the mean ranks."""
    return Tail(cells.middles, cells.shares, n, m)
