"""What few, far or rare values do to the tail of a difference of two means, for which a normal law is too light."""

import math
from typing import NamedTuple

import numpy as np

from core.distribution import Floats

from ._roots import crossing

# Between these tilts, in deviations, lies every probability from 1 down to what no float can hold.
_TILTS = (1e-3, 1e5)


class Tail(NamedTuple):
    """Of the difference of the mean scores of n and m rows drawn alike: `scores` and their `shares`, shape (g,)."""

    scores: Floats
    shares: Floats
    n: float
    m: float

    def p_value(self, gaussian: float) -> float:
        """Of a difference so many deviations out that the normal law gives it `gaussian`, two-sided; no less than it.

        The larger of the two tails, twice: saddlepoint approximations (Lugannani and Rice 1980, Adv. Appl. Prob. 12,
        475-490), with the correction for lattices (Daniels 1987, Int. Stat. Rev. 55, 37-48) for steps as large as the
        skewness of the tail says. Where single rows decide, a continuous law would be too low by half a step.
        """
        from scipy.special import ndtri

        if not 0 < gaussian < 1:
            return gaussian
        return max(gaussian, self.beyond(-float(ndtri(gaussian / 2))))

    def gaussian(self, alpha: float) -> float:
        """The normal law's probability of what has the p-value alpha, no more than it."""
        from scipy.special import ndtr

        return min(alpha, 2 * float(ndtr(-self.deviate(alpha))))

    def beyond(self, deviate: float) -> float:
        """Probability of a difference of so many deviations, to either side; 0 where scores do not differ."""
        sides = self._sides()
        return min(max(2 * side.tail(side.tilt(deviate)) for side in sides), 1.0) if sides and deviate > 0 else 0.0

    def deviate(self, alpha: float) -> float:
        """The difference, in deviations, beyond which the probability is alpha."""
        sides = self._sides()
        return max(side.deviate(alpha / 2) for side in sides) if sides else 0.0

    @property
    def deviation(self) -> float:
        """Of the difference of the means."""
        away = self.scores - self.shares @ self.scores
        return math.sqrt(float(self.shares @ away**2) * (1 / self.n + 1 / self.m))

    def _sides(self) -> "tuple[_Side, _Side] | None":
        spread = math.sqrt(1 / self.n + 1 / self.m)
        if not 0 < self.deviation < math.inf:
            return None
        scores = (self.scores - self.shares @ self.scores) * (spread / self.deviation)
        return _Side(scores, self, spread), _Side(-scores, self, spread)


class _Side(NamedTuple):
    """The upper tail of the difference, in units of its deviation `spread`. At a tilt t the window's rows are
    weighted by exp(t score / m) and the reference's by exp(-t score / n), whereby what is rare becomes common.
    """

    scores: Floats
    of: Tail
    spread: float

    def tilt(self, deviate: float) -> float:
        """The tilt that makes `deviate` the mean."""
        return crossing(lambda t: 1 / max(self._cumulants(t)[1], 1e-300), 1 / deviate, _TILTS)

    def deviate(self, tail: float) -> float:
        """The difference that has this tail."""
        return self._cumulants(crossing(self.tail, tail, _TILTS))[1]

    def tail(self, t: float) -> float:
        """Probability of a difference as large as the mean at tilt t."""
        from scipy.special import ndtr

        generating, mean, variance, third = self._cumulants(t)
        exponent = t * mean - generating
        if exponent <= 0 or variance <= 0:
            return math.exp(-max(exponent, 0.0))
        root, step = math.sqrt(2 * exponent), t * max(third, 0.0) / variance
        u = math.sqrt(variance) * t * (-math.expm1(-step) / step if step > 1e-6 else 1.0)
        normal = math.exp(-exponent)
        tail = float(ndtr(-root)) + normal / math.sqrt(2 * math.pi) * (1 / u - 1 / root)
        return min(max(tail, 0.0), normal)  # no tail is above Chernoff's bound

    def _cumulants(self, t: float) -> tuple[float, float, float, float]:
        """Cumulant generating function and its first three derivatives."""
        up, down = (
            _tilted(self.scores, self.of.shares, sign * t / (rows * self.spread))
            for rows, sign in ((self.of.m, 1), (self.of.n, -1))
        )
        sizes = ((self.of.m, up, 1), (self.of.n, down, -1))
        return (
            sum(rows * one[0] for rows, one, _ in sizes),
            sum(one[1] * sign for _, one, sign in sizes) / self.spread,
            sum(one[2] / rows for rows, one, _ in sizes) / self.spread**2,
            sum(one[3] * sign / rows**2 for rows, one, sign in sizes) / self.spread**3,
        )


def _tilted(scores: Floats, shares: Floats, t: float) -> tuple[float, float, float, float]:
    """log of the mean of exp(t score); mean, variance and third central moment of the scores so weighted."""
    exponents = t * scores
    top = float(exponents.max())
    weights = shares * np.exp(exponents - top)
    total = float(weights.sum())
    mean = float(weights @ scores) / total
    away = scores - mean
    squares = weights * away**2
    # For many rows a tilt is small, and a thousand million times its rounding is not.
    generating = math.log1p(float(shares @ np.expm1(exponents))) if abs(top) < 0.5 else math.log(total) + top
    return generating, mean, float(squares.sum()) / total, float(squares @ away) / total
