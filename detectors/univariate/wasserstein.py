"""The Wasserstein distance."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from core.distribution import Distribution, Kind
from core.findings import Score
from detectors._power import of_distance

from ._curves import Cells, cells, known_curves, known_rows
from ._detectable import detectable
from ._heavy import Tail
from ._norms import Norm
from ._verdicts import Judged, incomparable, verdict


@dataclass(frozen=True)
class Wasserstein:
    """∫ |F - G| dx, by how far values have moved on average, in the field's unit: the first Wasserstein, or earth
    mover's, distance (Ramdas, Garcia and Cuturi 2017, Entropy 19, 47): SciPy's `wasserstein_distance`.

    normalised: in standard deviations of the reference instead; the p-value is the same.

    Missing values are left out: `missing_rate` watches their share. Of infinite values there is no distance.
    p-value: of the area under a Brownian bridge on the values that there are, far out an upper bound (`_norms.py`); no
    lighter a tail than the difference of the means has, which a few far values may decide.
    Effect: shift of the mean in standard deviations of the reference.

    >>> rng = np.random.default_rng(1)
    >>> reference = Distribution.of_numbers(rng.normal(300, 3, 1000))
    >>> window = Distribution.of_numbers(rng.normal(301, 3, 1000))
    >>> Wasserstein().compare(reference, window, alpha=0.05).fired
    True
    """

    normalised: bool = False
    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        if undecided := incomparable(reference, window):
            return undecided
        if self.normalised and not reference.deviation > 0:
            return Score(None, None, reason="the reference is constant: it has no standard deviation to normalise by")
        found = cells(reference, window, missing=False)
        area, tail = _area(found), Tail(found.ends, found.shares, known_rows(reference), known_rows(window))
        statistic, threshold = distance(reference, window), area.critical_value(tail.gaussian(alpha))
        shown = detectable(reference, window, distance, of_distance(threshold, area.weak))
        p_value = tail.p_value(area.p_value(statistic))
        unit = reference.deviation if self.normalised else 1.0
        return verdict(reference, window, Judged(statistic / unit, threshold / unit, p_value, shown))


def distance(reference: Distribution, window: Distribution) -> float:
    """∫ |F - G| dx."""
    gaps = known_curves(reference, window).gaps()
    return sum(float(np.abs(difference) @ width) for difference, width in gaps)


def _area(found: Cells) -> Norm:
    """Its weak deviation is that of the difference of the means: all that lies between two curves moved one way."""
    if len(found.ends) < 2:
        return Norm(1.0, 1.0, 1.0)  # of one value, which does not move
    widths = np.diff(found.ends)
    upto = np.tri(len(widths), len(found.ends))
    covariance = upto @ found.covariance() @ upto.T
    weak = math.sqrt(float(widths @ covariance @ widths))
    return Norm.of(covariance, widths, weak)
