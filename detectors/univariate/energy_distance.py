"""The energy distance."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from core.distribution import Distribution, Floats, Kind
from core.findings import Score

from ._curves import cells, known_curves, known_rows
from ._heavy import Tail
from ._quadratic import Quadratic, cell_law
from ._verdicts import incomparable, verdict


@dataclass(frozen=True)
class EnergyDistance:
    """sqrt(2 ∫ (F - G)² dx), in the square root of the field's unit (Székely and Rizzo 2013, J. Stat. Planning
    Inference 143, 1249-1272): SciPy's `energy_distance`.

    Missing values are left out: `missing_rate` watches their share. Of infinite values there is no distance.
    p-value: the square is a sum of squares of normal variables, their variances those of the values that there are; no
    lighter a tail than the difference of the means has, which a few far values may decide.
    Effect: shift of the mean in standard deviations of the reference.

    >>> rng = np.random.default_rng(1)
    >>> reference = Distribution.of_numbers(rng.normal(300, 3, 1000))
    >>> window = Distribution.of_numbers(rng.normal(301, 3, 1000))
    >>> EnergyDistance().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        if undecided := incomparable(reference, window):
            return undecided
        found = cells(reference, window, missing=False)
        n, m = known_rows(reference), known_rows(window)
        widths: Floats = np.append(0.0, np.diff(found.ends))
        null = Quadratic(cell_law(found, 2 * widths, middle=False), tail=Tail(found.ends, found.shares, n, m))
        judged = null.judge((reference, window), squared, alpha)
        roots = judged._replace(statistic=judged.statistic**0.5, threshold=judged.threshold**0.5)
        return verdict(reference, window, roots)


def squared(reference: Distribution, window: Distribution) -> float:
    """2 ∫ (F - G)² dx."""
    gaps = known_curves(reference, window).gaps()
    return 2 * sum(float((difference * difference) @ width) for difference, width in gaps)
