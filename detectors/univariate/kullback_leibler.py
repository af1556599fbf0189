"""The Kullback-Leibler divergence."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from core.distribution import Distribution, Kind
from core.findings import Score

from ._bins import Counts
from ._design import Law, chi_squared_law
from ._divergences import Divergence, Options, compare, padded, williams


@dataclass(frozen=True)
class KullbackLeibler:
    """Sum over bins of q ln(q / p), in nats, p and q the bin's shares of the reference and of the window; 0 and up: how
    surprising the window is to one who expects the reference (Kullback and Leibler 1951, Ann. Math. Stat. 22, 79-86).

    bins, threshold: as for `psi`, empty bins too. Without a threshold, from alpha: 2 nm / (n + m) times the
    divergence of
        samples of n and m rows is a chi-squared variable with bins - 1 degrees of freedom, here scaled up by Williams's
        correction.
    Effect: shift of the mean in standard deviations (numbers), total variation distance (categories).

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "fr"], [700, 300])
    >>> round(KullbackLeibler().compare(reference, window, alpha=0.05).score, 3)
    0.082
    """

    bins: Annotated[int, Field(ge=2, le=1000)] = 10
    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    kinds: ClassVar[frozenset[Kind]] = frozenset({"num", "cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        return compare((reference, window), _DIVERGENCE, Options(self.bins, self.threshold), alpha)


def _between(counts: Counts) -> float:
    from scipy.special import rel_entr

    p, q = padded(counts)
    return max(float(rel_entr(q, p).sum()), 0.0)


def _null(counts: Counts) -> Law:
    return chi_squared_law(counts).times(williams(counts) / (2 * counts.harmonic_rows))


_DIVERGENCE = Divergence(_between, _null)
