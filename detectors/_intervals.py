"""95 % confidence intervals of shares, and the normal quantile that such intervals take."""

import math

NORMAL_95 = 1.959963984540054


def newcombe(before: tuple[float, float], after: tuple[float, float]) -> tuple[float, float]:
    """How far below and above the difference of two shares, each with its rows, the true one may be: Wilson's intervals
    of each, joined (Newcombe 1998, Stat. Med. 17, 873-890, method 10), which holds near 0 and 1.
    """
    (low, high), (least, most) = wilson(*after), wilson(*before)
    return math.hypot(after[0] - low, most - before[0]), math.hypot(high - after[0], before[0] - least)


def wilson(share: float, rows: float) -> tuple[float, float]:
    """Wilson 1927, J. American Stat. Assoc. 22, 209-212."""
    squared = NORMAL_95**2
    middle = share + squared / (2 * rows)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / rows + squared / (4 * rows**2))
    return (middle - half) / (1 + squared / rows), (middle + half) / (1 + squared / rows)
