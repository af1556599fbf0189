"""The Anderson-Darling test of two samples."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from core.distribution import Distribution, Floats, Kind
from core.findings import Score

from ._curves import Curves, curves
from ._quadratic import Quadratic, cell_law, even, limit_law, pooled_cells, rank_tail
from ._verdicts import undecidable, verdict

# With no more rows than this share alike the law without ties is good enough.
_TIED = 0.005
_MANY = 2000  # rows, of which the variance is the limit's
_LIMIT_VARIANCE = 2 * math.pi**2 / 3 - 6


@dataclass(frozen=True)
class AndersonDarling:
    """A² of two samples of numbers: squared differences of the cumulative distributions, each over its variance, so
    that the tails count as much as the middle (Scholz and Stephens 1987, J. Am. Stat. Assoc. 82, 918-924, equation 7,
    with midranks for ties); 0 and up, 1 on average. SciPy's `anderson_ksamp` gives (A² - 1) / its deviation.

    Missing values sort before every number, so a change of their share counts. Infinities are values like others.
    p-value: the limit law after A² - 1 is scaled to its variance, never cut off at 0.001 as SciPy's; with many rows
    alike or uneven weights the law of the values that there are, no lighter than that of the mean ranks.
    Effect: shift of the mean in standard deviations of the reference.

    >>> rng = np.random.default_rng(1)
    >>> reference = Distribution.of_numbers(rng.normal(300, 3, 1000))
    >>> window = Distribution.of_numbers(rng.normal(301, 3, 1000))
    >>> AndersonDarling().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        if undecided := undecidable(reference, window, self.kinds):
            return undecided
        null = _null(reference, window)
        return verdict(reference, window, null.judge((reference, window), weighted_square, alpha))


def weighted_square(reference: Distribution, window: Distribution) -> float:
    """A²."""
    found = curves(reference, window)
    rows = found.n + found.m
    return sum(map(_squares, found.blocks())) * found.harmonic_rows * (rows - 1) / rows


def _squares(found: Curves) -> float:
    pooled, difference = found.pooled, found.difference
    shares = np.diff(pooled)
    middle = (pooled[1:] + pooled[:-1]) / 2
    variance = middle * (1 - middle) - shares / 4
    squares = shares * ((difference[1:] + difference[:-1]) / 2) ** 2
    inside = variance > 1e-14  # else all rows have one value
    return float((squares[inside] / variance[inside]).sum())


def _null(reference: Distribution, window: Distribution) -> Quadratic:
    n, m = reference.effective_rows, window.effective_rows
    largest = max(max(side.counts.max(initial=0.0), side.missing) / side.total for side in (reference, window))
    if even(reference, window) and (largest <= _TIED or largest * min(n, m) < 1.5):
        scale = math.sqrt(_LIMIT_VARIANCE / _variance(n, m))
        return Quadratic(limit_law(_eigenvalue, 1.0), scale, 1 - scale)
    cells = pooled_cells(reference, window)
    variance = cells.middles * (1 - cells.middles) - cells.shares / 4
    weights = cells.shares / np.maximum(variance, 1e-14) * (n * m / (n + m))
    return Quadratic(cell_law(cells, weights), tail=rank_tail(cells, n, m))


def _eigenvalue(j: Floats) -> Floats:
    return 1 / (j * (j + 1))


@lru_cache
def _variance(n: float, m: float) -> float:
    """Of A² of two samples (Scholz and Stephens, equation 4), the limit's for many rows."""
    rows = round(n + m)
    if rows > _MANY or rows < 4:
        return _LIMIT_VARIANCE
    inverses = 1 / np.arange(1.0, rows)
    h, sides = float(inverses.sum()), 1 / n + 1 / m
    tails = h - np.cumsum(inverses)
    g = float((tails[:-1] / (rows - np.arange(1, rows - 1))).sum())
    a = 4 * g - 6 + (10 - 6 * g) * sides
    b = 4 * (2 * g - 4) + 16 * h + (2 * g - 14 * h - 4) * sides - 8 * h + 4 * g - 6
    c = 4 * (6 * h + 2 * g - 2) + 2 * (4 * h - 4 * g + 6) + (2 * h - 6) * sides + 4 * h
    d = 4 * (2 * h + 6) - 8 * h
    return float((a * rows**3 + b * rows**2 + c * rows + d) / ((rows - 1) * (rows - 2) * (rows - 3)))
