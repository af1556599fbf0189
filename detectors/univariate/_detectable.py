"""The smallest change that a detector would show in four of five windows."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from core.distribution import Distribution, Floats

_POINTS = 256  # order statistics that stand for the reference
_STEPS = 30
_CLOSE = 0.01

Statistic = Callable[[Distribution, Distribution], float]


def detectable(reference: Distribution, window: Distribution, statistic: Statistic, needed: float) -> float | None:
    """In the unit of the effect; None when no change would do.

    `needed`: what the statistic has to be between the reference and a changed one, samples being without chance.
    Numbers change by weighting each of the reference's values with exp(t * value), of normal ones a shift of the mean,
    of others the change that says most about it. Categories: rows go over from some of them to the others, in which
    about half of the rows are; any other change of the same effect shows sooner.
    """
    if not math.isfinite(needed):
        return None
    with np.errstate(all="ignore"):
        return _detectable(reference, window, statistic, needed)


def _detectable(reference: Distribution, window: Distribution, statistic: Statistic, needed: float) -> float | None:
    kind = _Moved if reference.kind == "cat" else _Tilted
    changed = kind.of(reference, window)
    if changed is None:
        return None
    size = _solve(changed, statistic, max(needed, 0.0))
    effect = math.nan if size is None else changed.effect(size)
    return effect if math.isfinite(effect) else None


def _solve(changed: "_Moved | _Tilted", statistic: Statistic, needed: float) -> float | None:
    """The size at which the statistic is what is needed, to a hundredth; secants of the logarithms, which are nearly
    straight, kept between sizes known to be too small and too large.
    """
    if needed <= 0:
        return 0.0
    low, high = math.log(changed.largest * 1e-6), math.log(changed.largest)
    x, slope, before = min(max(math.log(3 / math.sqrt(changed.reference.effective_rows)), low), high), 1.0, None
    ends = [low, high]
    for _ in range(_STEPS):
        value = math.log(max(statistic(changed.reference, changed.at(math.exp(x))) / needed, 1e-300))
        if (x == high and value < 0) or (x == low and value > 0):
            return None if value < 0 else math.exp(low)
        if abs(value) < _CLOSE or ends[1] - ends[0] < _CLOSE:
            break
        ends[value > 0] = x
        if before is not None and before[0] != x:
            slope = max((value - before[1]) / (x - before[0]), 0.3)
        before, x = (x, value), x - value / slope
        if not ends[0] < x < ends[1]:
            x = ends[value < 0] if ends[value < 0] in (low, high) else (ends[0] + ends[1]) / 2
    return math.exp(x)


class _Tilted(NamedTuple):
    """Numbers of the reference, weighted with exp(size * score); at a size of 0 there is no change."""

    reference: Distribution
    scores: Floats
    window_rows: float
    largest: float = 8.0

    @classmethod
    def of(cls, reference: Distribution, window: Distribution) -> "_Tilted | None":
        if not 0 < reference.deviation < math.inf:
            return None
        heights = reference.heights[1:]
        at = np.searchsorted(heights, heights[-1] * np.linspace(0, 1, _POINTS + 1)[1:] * (1 - 1e-12))
        at = np.union1d(at, [0])
        counts = np.diff(reference.heights[at + 1], prepend=0.0)
        few = Distribution(reference.values[at], counts, reference.missing, reference.effective_rows)
        scores = (few.values - few.mean) / few.deviation if few.deviation > 0 else None
        return None if scores is None else cls(few, scores, window.effective_rows)

    def at(self, size: float) -> Distribution:
        weights = self.reference.counts * np.exp(size * self.scores - float((size * self.scores).max()))
        weights = np.maximum(weights * (self.reference.heights[-1] / weights.sum()), 1e-300)
        return Distribution(self.reference.values, weights, self.reference.missing, self.window_rows)

    def effect(self, size: float) -> float:
        weights = self.at(size).counts
        return float(weights @ self.scores / weights.sum())


class _Moved(NamedTuple):
    """Categories of the reference of which a part gains what the others lose, each as much as it has."""

    reference: Distribution
    gain: Floats
    window_rows: float
    largest: float

    @classmethod
    def of(cls, reference: Distribution, window: Distribution) -> "_Moved | None":
        shares = np.append(reference.counts, reference.missing) / reference.total
        order = np.argsort(-shares, kind="stable")
        upto = np.cumsum(shares[order])
        chosen = order[: int(np.argmin(np.abs(upto - 0.5))) + 1]
        inside = np.isin(np.arange(len(shares)), chosen)
        part = float(shares[inside].sum())
        if part > 1 - 1e-12:
            return None
        if part > 0.5:
            inside, part = ~inside, 1 - part
        gain = np.where(inside, shares / part, -shares / (1 - part))
        return cls(reference, gain, window.effective_rows, (1 - part) * (1 - 1e-9))

    def at(self, size: float) -> Distribution:
        of = self.reference
        weights = np.append(of.counts, of.missing) + of.total * size * self.gain
        return Distribution(of.values, weights[:-1], float(weights[-1]), self.window_rows)

    def effect(self, size: float) -> float:
        return size
