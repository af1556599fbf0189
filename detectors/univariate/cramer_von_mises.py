"""The Cramér-von Mises test of two samples."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from core.distribution import Distribution, Floats, Kind
from core.findings import Score

from ._curves import Curves, curves
from ._paths import counted
from ._quadratic import Quadratic, cell_law, even, limit_law, pooled_cells, rank_tail
from ._verdicts import undecidable, verdict


@dataclass(frozen=True)
class CramerVonMises:
    """T = nm / (n + m) times the mean square of the difference of two cumulative distributions of numbers (Anderson
    1962, Ann. Math. Stat. 33, 1148-1159); 0 and up.

    Missing values sort before every number, so a change of their share counts. Infinities are values like others.
    Ties: the difference is taken to run straight through the rows of one value, which is at most its mean over all ways
    to put them in an order, so the p-value is conservative, the more so the more rows are alike.
    p-value: exact for small samples, else the limit law, after T is moved and scaled to have its mean and variance,
    as SciPy's `cramervonmises_2samp(…, method="asymptotic")`; for uneven weights the law of the sampling design.
    Effect: shift of the mean in standard deviations of the reference.

    >>> rng = np.random.default_rng(1)
    >>> reference = Distribution.of_numbers(rng.normal(300, 3, 1000))
    >>> window = Distribution.of_numbers(rng.normal(301, 3, 1000))
    >>> CramerVonMises().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        if undecided := undecidable(reference, window, self.kinds):
            return undecided
        judged = _null(reference, window).judge((reference, window), mean_square, alpha)
        if even(reference, window) and (law := counted(reference.effective_rows, window.effective_rows)):
            exact = law.critical_value(alpha), law.p_value(judged.statistic)
            judged = judged._replace(threshold=exact[0], p_value=exact[1])
        highest = _highest(reference.effective_rows, window.effective_rows)
        return verdict(reference, window, judged._replace(can_fire=judged.threshold < highest))


def mean_square(reference: Distribution, window: Distribution) -> float:
    """T."""
    found, counted = curves(reference, window), even(reference, window)
    return sum(_squares(part, counted) for part in found.blocks()) * found.n * found.m / (found.n + found.m) ** 2


def _squares(found: Curves, counted: bool) -> float:
    """Sum over the rows of the square of the difference, which runs straight through those of one value.

    Rows of different weights cannot be `counted`: it runs on as if they were many.
    """
    difference, one = found.difference, float(counted)
    before, steps = difference[:-1], np.diff(difference)
    rows = found.n * np.diff(found.f) + found.m * np.diff(found.g)
    through = rows * before**2 + before * steps * (rows + one) + steps**2 * (rows + one) * (2 * rows + one) / (6 * rows)
    return float(through.sum())


def _null(reference: Distribution, window: Distribution) -> Quadratic:
    n, m = reference.effective_rows, window.effective_rows
    if not even(reference, window):
        cells = pooled_cells(reference, window)
        return Quadratic(cell_law(cells, cells.shares * n * m / (n + m)), tail=rank_tail(cells, n, m))
    rows = n + m
    mean = (1 + 1 / rows) / 6
    variance = (rows + 1) * (4 * n * m * rows - 3 * (n**2 + m**2) - 2 * n * m) / (45 * rows**2 * 4 * n * m)
    scale = (1 / 45 / variance) ** 0.5
    return Quadratic(limit_law(_eigenvalue, 1 / 6), scale, 1 / 6 - mean * scale)


def _eigenvalue(j: Floats) -> Floats:
    return 1 / (np.pi * j) ** 2


def _highest(n: float, m: float) -> float:
    """T where no value of the one is among those of the other."""
    return sum((rows + 1) * (2 * rows + 1) / (6 * rows) for rows in (n, m)) * n * m / (n + m) ** 2
