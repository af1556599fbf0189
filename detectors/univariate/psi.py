"""The population stability index."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Kind
from core.findings import Score

from ._bins import Counts
from ._design import Law, chi_squared_law
from ._divergences import Divergence, Options, compare, padded


@dataclass(frozen=True)
class PSI:
    """Sum over bins of (q - p) ln(q / p), p and q the bin's shares of the reference and of the window; 0 and up.

    bins: most bins to cut numbers into, at quantiles of the reference; 2..1000. Numbers with no more values than bins
        and categories are taken by value; missing is a bin. Rare values share bins, `_bins.py` says how.
    threshold: fires above this, whatever the number of rows (0.1 and 0.2 are customary); then there is no p-value.
        Without it, from alpha: (1/n + 1/m) times a chi-squared variable with bins - 1 degrees of freedom, the law of
        PSI for samples of n and m rows (Yurdakul 2018, Western Michigan University, dissertation 3208).

    An empty bin would make PSI infinite: half a row of the smaller sample is added to each of its bins and the same
    share to those of the larger, so two equal samples still have PSI 0 and a shift counts slightly less.
    Effect: shift of the mean in standard deviations (numbers), total variation distance (categories).

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "fr"], [700, 300])
    >>> round(PSI().compare(reference, window, alpha=0.05).score, 3)
    0.169
    """

    bins: Annotated[int, Field(ge=2, le=1000)] = 10
    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    kinds: ClassVar[frozenset[Kind]] = frozenset({"num", "cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        return compare((reference, window), _DIVERGENCE, Options(self.bins, self.threshold), alpha)


def _between(counts: Counts) -> float:
    p, q = padded(counts)
    return float(((q - p) * np.log(q / p)).sum())


def _null(counts: Counts) -> Law:
    return chi_squared_law(counts).times(1 / counts.harmonic_rows)


_DIVERGENCE = Divergence(_between, _null)
