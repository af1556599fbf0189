"""The exact law of the Cramér-von Mises statistic of two small samples without ties."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from core.distribution import Floats

# Up to so many n m the law is counted: 20 ms once for each pair of sizes. Beyond it the limit is close.
_CELLS = 200


class Counted(NamedTuple):
    """What T may be, ascending, and the probability of each or a greater one."""

    values: Floats
    p_values: Floats

    def p_value(self, statistic: float) -> float:
        at = int(np.searchsorted(self.values, statistic * (1 - 1e-9) - 1e-12))
        return float(self.p_values[at]) if at < len(self.values) else 0.0

    def critical_value(self, alpha: float) -> float:
        """Halfway below the smallest value with a p-value below alpha."""
        at = int(np.searchsorted(-self.p_values, -alpha, "right"))
        if at == len(self.values):
            return float(self.values[-1]) * 1.5 + 1e-3
        return float(self.values[at] + self.values[at - 1]) / 2


def counted(n: float, m: float) -> Counted | None:
    """None for samples that are not small, or not of whole rows."""
    whole = round(n), round(m)
    if n * m > _CELLS or abs(n - whole[0]) + abs(m - whole[1]) > 1e-9:
        return None
    return _count(*sorted(whole))


@lru_cache(maxsize=128)
def _count(n: int, m: int) -> Counted:
    """Over all orders in which n and m values may come, which are paths from (0, 0) to (n, m) (Anderson 1962; Xiao,
    Gordon and Yakovlev 2006, J. Stat. Software 17, 8): at (i, j) the sum of the squares grows by (i m - j n)².
    """
    empty: tuple[Floats, Floats] = np.empty(0), np.empty(0)
    before: list[tuple[Floats, Floats]] = [empty] * (m + 1)
    for i in range(n + 1):
        for j in range(m + 1):
            ways = [before[j], before[j - 1] if j else empty]
            sums, chances = (np.concatenate(parts) for parts in zip(*ways, strict=True))
            if i == j == 0:
                sums, chances = np.zeros(1), np.ones(1)
            sums, where = np.unique(sums, return_inverse=True)
            before[j] = sums + float(i * m - j * n) ** 2, np.bincount(where, chances, len(sums)).astype(np.float64)
    sums, chances = before[m]
    at_least = np.cumsum(chances[::-1])[::-1] / chances.sum()
    return Counted(sums / (n * m * (n + m) ** 2), np.minimum(at_least, 1.0))
