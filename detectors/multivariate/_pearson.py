"""A law given by its first three moments, good far out in the tail where a few permutations tell nothing."""

import math
from typing import NamedTuple

import numpy as np

from core.distribution import Floats
from detectors.protocols import LAW_AT

# Below this a gamma law and the normal one are the same to all digits that matter.
_NO_SKEWNESS = 1e-3


class PearsonIII(NamedTuple):
    """A gamma variable, moved and scaled to have this mean, standard deviation and skewness.

    What permutations of a quadratic form follow, with their exact moments (Mielke and Berry 2007, Permutation Methods,
    chapter 2; Minas and Montana 2014, Stat. Methods Med. Res. 26, 2540-2560). A negative skewness is taken for none,
    which makes the upper tail heavier than it is.
    """

    mean: float
    deviation: float
    skewness: float

    def p_value(self, statistic: float) -> float:
        """P(X >= statistic)."""
        from scipy.special import gammaincc, ndtr

        z = (statistic - self.mean) / self.deviation
        if self.skewness < _NO_SKEWNESS:
            return float(ndtr(-z))
        shape = 4 / self.skewness**2
        return float(gammaincc(shape, max(shape + z * math.sqrt(shape), 0.0)))

    def critical_value(self, alpha: float) -> float:
        """The statistic whose p-value is alpha."""
        from scipy.special import gammainccinv, ndtri

        if self.skewness < _NO_SKEWNESS:
            return self.mean - self.deviation * float(ndtri(alpha))
        shape = 4 / self.skewness**2
        return self.mean + self.deviation * (float(gammainccinv(shape, alpha)) - shape) / math.sqrt(shape)

    @property
    def curve(self) -> Floats:
        """Its critical values at LAW_AT."""
        return np.array([self.critical_value(alpha) for alpha in LAW_AT])
