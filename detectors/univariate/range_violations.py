"""Numbers beyond the range that they should be in."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from core.contract import Contract, Held
from core.distribution import Distribution, Kind
from core.findings import Score

from ._curves import known_rows
from ._shares import Share, declared, verdict
from ._verdicts import Judged, remark, undecidable

_SLACK = 1e-6  # of a row: effective rows do not add up to whole ones


@dataclass(frozen=True)
class RangeViolations:
    """Share of the window's rows with a value that is beyond `models.<m>.fields.<f>.range` or, where none is declared,
    beyond the lowest and the highest value of the reference; 0..1. Missing values are not counted.

    p-value against the reference: of as many of m rows beyond the range of n others, all alike (Wilks 1942, Ann. Math.
    Stat. 13, 400-409): exact without ties, conservative with them. Of a declared range: 0 as soon as one row is beyond.
    Effect: the window's share less the reference's, which is 0 where nothing is declared.

    >>> reference = Distribution.of_numbers(np.arange(100.0))
    >>> window = Distribution.of_numbers(np.arange(20.0, 120.0))
    >>> RangeViolations().compare(reference, window, alpha=0.05).score
    0.2
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        return self.check(Contract(), {reference.kind: reference}, {window.kind: window}, alpha)

    def check(self, contract: Contract, reference: Held, window: Held, alpha: float) -> Score:
        before, after = _numbers(reference), _numbers(window)
        if undecided := undecidable(before, after, self.kinds):
            return undecided
        if not len(after.values) or not (len(before.values) or contract.range):
            return Score(None, None, reason=remark(before, after))
        if contract.range:
            low, high = contract.range
            why = f"from {after.values[0]:g} to {after.values[-1]:g}, declared is {low:g} to {high:g}"
            return declared(_beyond(before, low, high), _beyond(after, low, high), why)
        share, n = _beyond(after, before.values[0], before.values[-1]), known_rows(before)
        if min(n, share.rows) < 2 - _SLACK:
            return Score(None, None, reason="fewer than the 2 rows with a value that are needed")
        threshold, p_value = _judge(share, n, alpha)
        why = "" if share.part else remark(before, after)
        return verdict(Share(0.0, n), share, Judged(share.part, threshold, p_value), why)


def _numbers(held: Held) -> Distribution:
    return held["num"] if "num" in held else next(iter(held.values()))


def _beyond(side: Distribution, low: float, high: float) -> Share:
    """Of the rows that have a value."""
    if not len(side.values):
        return Share(0.0, max(side.effective_rows, 1.0))
    first, last = np.searchsorted(side.values, low), np.searchsorted(side.values, high, "right")
    beyond = float(side.counts[:first].sum()) + float(side.counts[last:].sum())
    return Share(min(beyond / float(side.heights[-1]), 1.0), known_rows(side))


def _judge(share: Share, n: float, alpha: float) -> tuple[float, float]:
    """Threshold and p-value; parts of rows are left out, which is safe."""
    most = int(share.rows + _SLACK)
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _at_least(middle, n, share.rows) < alpha else (middle, high)
    return (high - 10 * _SLACK) / share.rows, _at_least(int(share.part * share.rows + 10 * _SLACK), n, share.rows)


def _at_least(rows: int, n: float, m: float) -> float:
    """P(rows of m beyond the range of n): of the rows + 1 at one end of all, at most one is of the n."""
    from scipy.special import gammaln

    if rows == 0:
        return 1.0
    all_of = gammaln(rows + 2) + gammaln(n + m - rows) - gammaln(n + m + 1)
    none = gammaln(m + 1) - gammaln(m - rows) - gammaln(rows + 2) if rows + 1 <= m else -np.inf
    one = np.log(n) + gammaln(m + 1) - gammaln(m - rows + 1) - gammaln(rows + 1)
    return min(float(np.exp(none + all_of) + np.exp(one + all_of)), 1.0)
