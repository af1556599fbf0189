"""Distribution of the two-sample Kolmogorov-Smirnov statistic D when nothing has changed."""

import math
from functools import lru_cache

import numpy as np

# Above these the limit law: 0.99 to 1.1 times the exact p-value for 100 rows and more, p >= 1e-4 (see the tests). Below
# them counting takes 2 ms at most.
_EXACT_CELLS = 250_000
_EXACT_EQUAL_ROWS = 10_000


def p_value(statistic: float, n: float, m: float) -> float:
    """P(D >= statistic) for samples of n and m (effective) rows.

    Exact for small samples by counting lattice paths (Hodges 1957, Arkiv for Matematik 3, 469-486), else Kolmogorov's
    limit with Hodges's correction. An upper bound where there are ties.
    """
    if (sizes := _whole(n, m)) and _countable(*sizes):
        # D is a multiple of 1 / lcm; a half is what separates one multiple from the next in floating point.
        return _exact(math.ceil(statistic * math.lcm(*sizes) - 0.5), *sizes)
    from scipy.special import kolmogorov

    return float(kolmogorov(statistic * math.sqrt(n * m / (n + m)) + _correction(n, m)))


@lru_cache(maxsize=1024)
def critical_value(alpha: float, n: float, m: float) -> float:
    """Every D above it has a p-value below alpha, no other has. Above 1 where no D has.

    Exact: half a step below the smallest D of that kind, so that rounding does not matter.
    """
    if (sizes := _whole(n, m)) and _countable(*sizes):
        low, high = 0, math.lcm(*sizes) + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _exact(middle, *sizes) < alpha else (middle, high)
        return (high - 0.5) / math.lcm(*sizes)
    from scipy.special import kolmogi

    return float((kolmogi(alpha) - _correction(n, m)) / math.sqrt(n * m / (n + m)))


def _correction(n: float, m: float) -> float:
    """What to add to sqrt(nm / (n + m)) D before it is put into the limit law.

    Hodges 1957, less half of the step 1 / lcm in which D rises. Weighted samples have no step: none, which is safe.
    """
    if not (sizes := _whole(n, m)):
        return 0.0
    half_step = math.sqrt(n * m / (n + m)) / (2 * math.lcm(*sizes))
    return (max(n, m) + 2 * min(n, m)) / (6 * math.sqrt(n * m * (n + m))) - half_step


def _whole(n: float, m: float) -> tuple[int, int] | None:
    """Weighted rows have no whole number of effective rows, nor steps of equal height to count paths over."""
    return (round(n), round(m)) if math.isclose(n, round(n)) and math.isclose(m, round(m)) else None


def _countable(n: int, m: int) -> bool:
    return n * m <= _EXACT_CELLS or n == m <= _EXACT_EQUAL_ROWS


def _exact(steps: int, n: int, m: int) -> float:
    """P(D >= steps / lcm(n, m))."""
    if steps <= 0:
        return 1.0
    if steps > math.lcm(n, m):
        return 0.0
    inside = 1 - _outside_equal(steps, n) if n == m else _inside(steps, *sorted((n, m)))
    return min(max(1 - inside, 0.0), 1.0)


def _outside_equal(steps: int, n: int) -> float:
    """Gnedenko and Korolyuk 1951: reflections at both boundaries, 2 sum (-1)^(j-1) C(2n, n - j steps) / C(2n, n)."""
    from scipy.special import gammaln

    j = np.arange(1, n // steps + 1)
    logarithms = 2 * gammaln(n + 1) - gammaln(n - j * steps + 1) - gammaln(n + j * steps + 1)
    return float(2 * np.sum(np.exp(logarithms) * np.where(j % 2, 1, -1)))


def _inside(steps: int, n: int, m: int) -> float:
    """Share of the lattice paths from (0, 0) to (n, m) that stay where |i / n - j / m| < steps / lcm; n <= m.

    Row by row as in Kim and Jennrich 1973: `reached[j]` is the number of paths to (i, j), scaled by C(i + m, i).
    """
    divisor = math.gcd(n, m)
    reached = np.zeros(m + 1)
    reached[0] = 1.0
    for i in range(n + 1):
        # |i m - j n| < steps * gcd, in whole numbers
        low = max((i * m - steps * divisor) // n + 1, 0)
        high = min(-((-i * m - steps * divisor) // n) - 1, m)
        scale = i / (i + m) if i else 1.0
        reached[low : high + 1] = np.cumsum(scale * reached[low : high + 1])
        reached[:low] = 0.0
        reached[high + 1 :] = 0.0
    return float(reached[m])
