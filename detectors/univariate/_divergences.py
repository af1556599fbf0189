"""What detectors that compare shares of bins have in common."""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from core.distribution import Distribution, Floats, Kind
from core.findings import Score
from detectors._power import of_distance, of_quadratic

from ._bins import FEWEST_ROWS, Counts, binned
from ._design import Law, effects
from ._detectable import detectable
from ._shares import Share, Table
from ._verdicts import Judged, undecidable, verdict

# Below so many rows to expect in one of two bins their exact law is used.
_RARE_ROWS = 40


class Null(Protocol):
    """The law of a divergence when nothing has changed."""

    def p_value(self, statistic: float) -> float: ...

    def critical_value(self, alpha: float) -> float: ...

    @property
    def weak(self) -> float:
        """Its deviation where something has."""

    @property
    def chance(self) -> float:
        """What chance adds to it, beside a change."""


class Divergence(NamedTuple):
    """`between` the two sides of some bins, and its law when nothing has changed, which depends on the rows in these.

    `root`: the score is the square root. `highest`: what a score can be at most.
    """

    between: Callable[[Counts], float]
    null: Callable[[Counts], Law | Null]
    root: bool = False
    highest: float = math.inf


class Options(NamedTuple):
    bins: int = 2
    threshold: float | None = None
    kinds: frozenset[Kind] = frozenset({"num", "cat"})


def compare(pair: tuple[Distribution, Distribution], divergence: Divergence, options: Options, alpha: float) -> Score:
    """With a threshold of the user's it is what decides, whatever the number of rows, and there is no p-value."""
    if undecided := undecidable(*pair, options.kinds, rows=2 * FEWEST_ROWS):
        return undecided
    counts = binned(*pair, options.bins)
    value, null = divergence.between(counts), _null(divergence, counts)
    power = 2 if divergence.root else 1
    given = options.threshold
    threshold = null.critical_value(alpha) if given is None else given**power
    p_value = null.p_value(value) if given is None else None
    shown = detectable(*pair, lambda r, w: divergence.between(binned(r, w, options.bins)), needed(null, threshold))
    score, threshold = value ** (1 / power), threshold ** (1 / power) if given is None else given
    can_fire = given is not None or threshold < divergence.highest
    return verdict(*pair, Judged(score, threshold, p_value, shown, can_fire))


def _null(divergence: Divergence, counts: Counts) -> "Law | Null":
    """Of two bins, of which one may be too rare for any limit law, the law is known."""
    both = counts.reference + counts.window
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    if len(both) == 2 and float(both.min()) * min(n, m) / (n + m) < _RARE_ROWS:
        return TwoBins.of(divergence.between, counts)
    return divergence.null(counts)


def needed(null: "Law | Null", threshold: float) -> float:
    """What the divergence has to be so that it is above the threshold in four of five windows."""
    if isinstance(null, Law):
        return of_quadratic(threshold, null.first, math.sqrt(2 * null.second), null.third / null.second)
    return of_distance(threshold, null.weak) - null.chance


def padded(counts: Counts) -> tuple[Floats, Floats]:
    """Shares of reference and window without empty bins: half a row of the smaller sample is added to each of its
    bins and the same share to those of the larger, so that equal samples stay equal.
    """
    n, m = counts.reference.sum(), counts.window.sum()
    added = 0.5 / min(n, m)
    total = 1 + added * len(counts.reference)
    return (counts.reference / n + added) / total, (counts.window / m + added) / total


def shares(counts: Counts) -> tuple[Floats, Floats]:
    """Of reference and window."""
    return counts.reference / counts.reference.sum(), counts.window / counts.window.sum()


def williams(counts: Counts) -> float:
    """By how much the likelihood ratio exceeds its limit law on average (Williams 1976, Biometrika 63, 33-37)."""
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    bins, both = len(counts.reference), counts.reference + counts.window
    rare = (n + m) * float((1 / both).sum()) - 1
    return 1 + rare * ((n + m) / n + (n + m) / m - 1) / (6 * (n + m) * max(bins - 1, 1))


class TwoBins(NamedTuple):
    """A divergence's values over all ways to deal the rows out, ascending, and the probability of each or a greater."""

    values: Floats
    p_values: Floats

    @classmethod
    def of(cls, between: Callable[[Counts], float], counts: Counts) -> "TwoBins":
        effect, rare = effects(counts), int(np.argmin(counts.reference + counts.window))
        n, m = (float(side.sum()) / float(effect.max()) for side in (counts.reference, counts.window))
        before, after = (float(side[rare] / side.sum()) for side in (counts.reference, counts.window))
        firsts, chances = Table.of(Share(before, n), Share(after, m)).dealt()
        both = round(before * n + after * m)
        values = np.array([between(_two(both - first, first, (n, m))) for first in firsts])
        order = np.argsort(values)
        return cls(values[order], np.cumsum(chances[order][::-1])[::-1])

    @property
    def weak(self) -> float:
        return 0.0

    @property
    def chance(self) -> float:
        return 0.0

    def p_value(self, statistic: float) -> float:
        at = int(np.searchsorted(self.values, statistic * (1 - 1e-9) - 1e-15))
        return min(float(self.p_values[at]), 1.0) if at < len(self.values) else 0.0

    def critical_value(self, alpha: float) -> float:
        """Halfway below the smallest value with a p-value below alpha."""
        at = int(np.searchsorted(-self.p_values, -alpha, "right"))
        above = float(self.values[at]) if at < len(self.values) else 2 * float(self.values[-1]) + 1
        return (above + float(self.values[max(at - 1, 0)])) / 2


def _two(reference: float, window: float, rows: tuple[float, float]) -> Counts:
    n, m = rows
    sides = np.array([max(reference, 0.0), n - reference]), np.array([window, m - window])
    return Counts(sides[0], sides[1], sides[0] / n**2, sides[1] / m**2)
