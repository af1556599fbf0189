"""The arithmetic of states: sorted values with their counts, put together and thinned out. Pure, and the same bits for
the same states in the same order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.distribution import Floats

# The name under which the categories that a state does not keep are counted.
OTHERS = "…"


class Counted(NamedTuple):
    """`values` ascend, each once; `counts` and, where weights differ, `squares` have their shape (k,)."""

    values: Floats
    counts: Floats
    squares: Floats | None = None


def merged(values: Floats, counts: Floats, squares: Floats | None = None) -> Counted:
    """Numbers in any order, each with its count, shape (n,), as sorted different ones."""
    order = np.argsort(values, kind="stable")  # made of sorted runs, which a merge sort only merges
    values = values[order]
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1]))) if len(values) else np.arange(0)
    squares = None if squares is None else _sums(squares[order], starts)
    return Counted(values[starts], _sums(counts[order], starts), squares)


def thinned(known: Counted, most: int) -> Counted:
    """`most` order statistics, those of the middle of each equal share; what has no more values stays what it is.

    The curve is then off by at most 0.5 / most. Squares are shared out as the rows they belong to.
    """
    if len(known.values) <= most:
        return known
    heights = np.cumsum(known.counts)
    middles = (np.arange(most) + 0.5) * (heights[-1] / most)
    at = np.minimum(np.searchsorted(heights, middles, "right"), len(heights) - 1)
    starts = np.flatnonzero(np.concatenate(([True], at[1:] != at[:-1])))
    counts = _sums(np.full(most, heights[-1] / most), starts)
    if known.squares is None:
        return Counted(known.values[at[starts]], counts)
    upto = np.interp(np.cumsum(counts), heights, np.cumsum(known.squares))
    return Counted(known.values[at[starts]], counts, np.diff(upto, prepend=0.0))


def order_statistics(known: Counted, most: int) -> tuple[Floats, Floats | None]:
    """What a state keeps: values with their counts, or `most` equal shares, some of them perhaps of one value."""
    if len(known.values) <= most:
        return known.values, known.counts
    heights = np.cumsum(known.counts)
    middles = (np.arange(most) + 0.5) * (heights[-1] / most)
    return known.values[np.minimum(np.searchsorted(heights, middles, "right"), len(heights) - 1)], None


def added(parts: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Counts by category."""
    counts: dict[str, float] = {}
    for category, count in parts:
        counts[category] = counts.get(category, 0.0) + count
    return counts


def most_frequent(counts: Mapping[str, float], most: int, most_bytes: int) -> list[str]:
    """The largest, the first by name of equal ones, as many as both limits allow."""
    kept: list[str] = []
    for category in sorted(counts, key=lambda name: (-counts[name], name)):
        most_bytes -= len(category.encode()) + 12
        if len(kept) == most or most_bytes < 0:
            break
        kept.append(category)
    return kept


class Moments(NamedTuple):
    """Of some numbers: how many, their mean and variance, and the ends of their range."""

    rows: float
    mean: float
    variance: float
    low: float
    high: float


def moments(parts: Sequence[Moments]) -> Moments:
    """Of all of them together (Chan, Golub and LeVeque 1979); infinite or NaN where values were."""
    rows = sum(part.rows for part in parts)
    with np.errstate(all="ignore"):
        mean = float(np.sum([part.rows * np.float64(part.mean) for part in parts]) / rows)
        away = [part.rows * (part.variance + (np.float64(part.mean) - mean) ** 2) for part in parts]
    return Moments(rows, mean, float(np.sum(away) / rows), min(p.low for p in parts), max(p.high for p in parts))


def _sums(counts: Floats, starts: NDArray[np.intp]) -> Floats:
    return np.add.reduceat(counts, starts) if len(starts) else np.empty(0)
