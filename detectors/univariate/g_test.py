"""The G-test, the likelihood ratio test of homogeneity."""

from dataclasses import dataclass
from typing import ClassVar

from core.distribution import Distribution, Kind
from core.findings import Score

from ._bins import Counts
from ._design import Law, chi_squared_law
from ._divergences import Divergence, Options, compare, williams


@dataclass(frozen=True)
class GTest:
    """G = 2 sum of rows * ln(rows / rows expected) over the table (reference or window) x category; 0 and up (Wilks
    1938, Ann. Math. Stat. 9, 60-62).

    Missing is a category, and so is one that only one side holds. Categories of which the smaller side can expect fewer
    than ten rows share a cell. p-value: chi-squared, after G is divided by Williams's correction; without it that of
    SciPy's `chi2_contingency(…, correction=False, lambda_="log-likelihood")`.
    Effect: total variation distance.

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "fr", "it"], [90, 90, 20])
    >>> GTest().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        return compare((reference, window), _DIVERGENCE, Options(kinds=self.kinds), alpha)


def _between(counts: Counts) -> float:
    from scipy.special import rel_entr

    n, m = counts.reference.sum(), counts.window.sum()
    both = (counts.reference + counts.window) / (n + m)
    return max(2 * float((rel_entr(counts.reference, n * both) + rel_entr(counts.window, m * both)).sum()), 0.0)


def _null(counts: Counts) -> Law:
    return chi_squared_law(counts).times(williams(counts))


_DIVERGENCE = Divergence(_between, _null)
