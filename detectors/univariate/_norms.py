"""The law of a norm of the differences of two distributions: an area, a sum of absolute values."""

import math
from dataclasses import dataclass

import numpy as np

from core.distribution import Floats

# Up to here the gamma law is within a few per cent (see the tests), further out it is too light; but a bound is known.
_CENTRAL = 0.1


@dataclass(frozen=True)
class Norm:
    """sum of weight * |x|, x normal with the given covariance, by its `mean`, `deviation` and `weak`, the largest
    deviation that a sum of weight * ±x can have.

    Up to its 10 % mark q a gamma variable of the same mean and deviation, beyond it P(norm > q + t) <= 1 - Φ(z + t /
    weak), 1 - Φ(z) = 10 %: a normal measure's isoperimetry (Borell 1975, Invent. Math. 30, 207-216) makes no tail
    heavier.
    """

    mean: float
    deviation: float
    weak: float

    @classmethod
    def of(cls, covariance: Floats, weights: Floats, weak: float) -> "Norm":
        """From the moments of |x| |y| for two normal variables (Nabeya 1951, Ann. Inst. Stat. Math. 3, 2-6)."""
        sizes = np.sqrt(np.diag(covariance))
        products = np.outer(sizes, sizes)
        with np.errstate(all="ignore"):
            angle = np.clip(np.where(products > 0, covariance / products, 0.0), -1, 1)
        both = (np.sqrt(1 - angle**2) + angle * np.arcsin(angle)) * products * (2 / math.pi)
        mean = math.sqrt(2 / math.pi) * float(weights @ sizes)
        return cls(mean, math.sqrt(max(float(weights @ both @ weights) - mean**2, 1e-12 * mean**2)), weak)

    @property
    def chance(self) -> float:
        return self.mean / 4

    def p_value(self, statistic: float) -> float:
        from scipy.special import gammaincc, ndtr, ndtri

        shape, scale = self._gamma
        central = float(gammaincc(shape, max(statistic, 0.0) / scale))
        if central >= _CENTRAL:
            return central
        return float(ndtr(ndtri(_CENTRAL) - (statistic - self.critical_value(_CENTRAL)) / self.weak))

    def critical_value(self, alpha: float) -> float:
        from scipy.special import gammainccinv, ndtri

        shape, scale = self._gamma
        if alpha >= _CENTRAL:
            return float(gammainccinv(shape, alpha)) * scale
        return self.critical_value(_CENTRAL) + self.weak * float(ndtri(_CENTRAL) - ndtri(alpha))

    @property
    def _gamma(self) -> tuple[float, float]:
        return (self.mean / self.deviation) ** 2, self.deviation**2 / self.mean
