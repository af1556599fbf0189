"""The law of a weighted sum of squares of normal variables, right however far out in the tail."""

import math
from dataclasses import dataclass

import numpy as np

from core.distribution import Floats

from ._design import Law

# Nodes of the trapezoid rule, and how many deviations of the integrand they reach: 1e-4 of the p-value at worst, at the
# mean of a single square; 1e-9 where it is below 0.05 (see the tests).
_NODES, _REACH = 48, 11.0
_HALVINGS = 16  # of the interval with the saddlepoint: where exactly the contour runs does not matter


@dataclass(frozen=True, eq=False)
class Squares:
    """rest + sum of eigenvalue * Z², Z independent and standard normal; `eigenvalues` > 0, shape (k,).

    P(Q > x) is the integral of exp(K(t) - t x) / t along a parabola through its saddlepoint, K being the cumulant
    generating function (Rice 1980, SIAM J. Sci. Stat. Comput. 1, 438-448): nothing cancels, so the error is relative.
    Below the mean, where nothing is decided, the law of three moments (`Law`).
    """

    eigenvalues: Floats
    rest: float = 0.0

    @property
    def mean(self) -> float:
        return float(self.eigenvalues.sum()) + self.rest

    @property
    def deviation(self) -> float:
        return math.sqrt(2 * float(self.eigenvalues @ self.eigenvalues))

    def p_value(self, statistic: float) -> float:
        if statistic < self.mean:
            return max(self._central().p_value(statistic - self.rest), math.exp(self._tail(self.mean)[0]))
        return math.exp(self._tail(statistic)[0])

    def critical_value(self, alpha: float) -> float:
        """The statistic whose p-value is alpha, by Newton's steps on the logarithm, which is nearly straight."""
        target, x = math.log(alpha), self.mean
        logarithm, hazard = self._tail(x)
        if logarithm <= target:
            return min(self._central().critical_value(alpha) + self.rest, x)
        for _ in range(60):
            step = (logarithm - target) / hazard
            x = max(x + step, self.mean)
            if abs(step) <= 1e-14 * x:
                break
            logarithm, hazard = self._tail(x)
        return x

    def _central(self) -> Law:
        return Law(*(float((self.eigenvalues**power).sum()) for power in (1, 2, 3)))

    def _tail(self, statistic: float) -> tuple[float, float]:
        """log P(Q > x), and how fast it falls there."""
        largest = float(self.eigenvalues.max())
        x, eigenvalues = (statistic - self.rest) / largest, self.eigenvalues / largest
        at = _saddlepoint(x, eigenvalues)
        relative = eigenvalues / (1 - 2 * at * eigenvalues)
        second = 2 * float((relative**2).sum()) + 1 / at**2
        bend = max(8 * float((relative**3).sum()) - 2 / at**3, 0.0) / (6 * second)
        y = (_REACH / _NODES / math.sqrt(second)) * (np.arange(_NODES) + 0.5)
        t = at + bend * y**2 + 1j * y
        exponent = -0.5 * np.log(1 - 2 * eigenvalues[:, None] * t).sum(axis=0) - t * x
        top = float(exponent[0].real)
        density = np.exp(exponent - top) * (1 - 2j * bend * y) * (2 * y[0] / math.pi)
        tail = float((density / t).sum().real)
        return min(top + math.log(tail), 0.0), float(density.sum().real) / tail / largest


def _saddlepoint(x: float, eigenvalues: Floats) -> float:
    """Where the integrand is smallest between its pole at 0 and its branch point at 1/2; the largest eigenvalue: 1."""
    low, high = -50.0, 50.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        t = 0.5 / (1 + math.exp(-middle))
        rises = float((eigenvalues / (1 - 2 * t * eigenvalues)).sum()) > x + 1 / t
        low, high = (low, middle) if rises else (middle, high)
    return 0.5 / (1 + math.exp(-low))
