"""Shares of rows: how they differ by chance, and verdicts on them."""

import math
from bisect import bisect_left
from typing import NamedTuple

import numpy as np

from core.distribution import Distribution, Floats
from core.findings import Score
from detectors._intervals import newcombe
from detectors._power import of_distance

from ._roots import crossing
from ._verdicts import TOO_FEW, Judged

_STEPS = 40
_SAFE = 1.3  # the approximation is too low by up to a third where few rows are left
_TINY = 1e-8  # an exponent that rounding leaves nothing of: about the mean
_DEVIATIONS = 45
_ALIKE = 1e-7  # of a probability, as SciPy's: equal ones count as such


class Share(NamedTuple):
    """`part` of the rows, 0..1, as uncertain as that of `rows` rows of even weight."""

    part: float
    rows: float

    @classmethod
    def of(cls, side: Distribution, weight: float, variance: float) -> "Share":
        """Rows of a summed weight, and of the summed squares of their shares; the variance is the sampling design's."""
        part = min(weight / side.total, 1.0)
        design = variance * (1 - 2 * part) + part**2 / side.effective_rows
        even = part * (1 - part)
        return cls(part, min(even / design, side.effective_rows) if even and design > 0 else side.effective_rows)


class Difference(NamedTuple):
    """The law of the largest difference of the shares that two sides of `rows` have of each of some bins, when
    nothing has changed; `shares` of both sides together, and the rows on either side, of shape (bins,).

    The sum over bins of hypergeometric probabilities: exact for one bin, else an upper bound.
    """

    shares: Floats
    reference: Floats
    window: Floats

    @property
    def weak(self) -> float:
        return math.sqrt(float((self.shares * (1 - self.shares) * (1 / self.reference + 1 / self.window)).max()))

    @property
    def chance(self) -> float:
        return 0.0

    def p_value(self, statistic: float) -> float:
        if statistic <= 0:
            return 1.0
        gains = share_tail(statistic, self.shares, self.reference, self.window)
        losses = share_tail(statistic, self.shares, self.window, self.reference)
        return min(float((gains + losses).sum()), 1.0)

    def critical_value(self, alpha: float) -> float:
        return crossing(self.p_value, alpha, (1e-9, 1 + 1e-9))


class Table(NamedTuple):
    """Two by two: `both` of the n rows of the reference and the m of the window are of one kind, dealt out at random.

    Effective rows are taken for the nearest whole number.
    """

    both: int
    n: int
    m: int

    @classmethod
    def of(cls, reference: Share, window: Share) -> "Table":
        n, m = (max(round(share.rows), 1) for share in (reference, window))
        return cls(round(reference.part * n + window.part * m), n, m)

    def judge(self, difference: float, alpha: float, rise: bool = False) -> tuple[float, float, float]:
        """Threshold, p-value and deviation of a `difference` of the shares, the window's less the reference's.

        Two-sided as Fisher's test, the threshold then being that of the side that the difference is on, or of a `rise`.
        Between the differences that are possible it is halfway, so that rounding does not matter. Where both sides
        hold too few rows of the kind for any dealing to fire, it is what the window would need beside this reference.
        """
        firsts = self._possible()
        p_values = self._p_values(firsts, rise)
        step = 1 / self.m + 1 / self.n
        differences = firsts * step - self.both / self.n
        at = int(np.clip(math.floor((difference - differences[0]) / step + 0.5), 0, len(firsts) - 1))
        up = rise or difference > 0 or (difference == 0 and self.both < self.n + self.m)
        fires = np.abs(differences[(differences >= 0 if up else differences <= 0) & (p_values < alpha)])
        first = int(firsts[at])
        threshold = float(fires.min()) - step / 2 if len(fires) else self._needed(first, alpha, up, rise)
        share = self.both / (self.n + self.m)
        return threshold, float(p_values[at]), math.sqrt(share * (1 - share) * step)

    def _needed(self, first: int, alpha: float, up: bool, rise: bool) -> float:
        """Halfway to the difference that would fire if the window had more of the kind than `first`, or fewer."""
        known = self.both - first
        counts = range(first, self.m + 1) if up else range(first, -1, -1)

        def fires(count: int) -> bool:
            return self._replace(both=known + count).p_value(count, rise) < alpha

        width = 1
        while width < len(counts) and not fires(counts[width]):
            width *= 2
        found = bisect_left(counts[: width + 1], True, key=fires)
        if found == len(counts):
            return 1 + (1 / self.m + 1 / self.n) / 2
        return abs(counts[found] / self.m - known / self.n) - 0.5 / self.m

    def p_value(self, first: int, rise: bool = False) -> float:
        """With `first` of the kind among the window's rows."""
        p_values = self._p_values(firsts := self._possible(), rise)
        return float(p_values[int(np.clip(first - firsts[0], 0, len(firsts) - 1))])

    def _possible(self) -> Floats:
        """How many of the window's rows may be of the kind, but for what no float holds the probability of."""
        share = self.both / (self.n + self.m)
        spread = _DEVIATIONS * math.sqrt(share * (1 - share) * self.m * self.n / (self.n + self.m)) + 50
        low, high = max(0, self.both - self.n), min(self.both, self.m)
        middle = share * self.m
        return np.arange(max(low, math.floor(middle - spread)), min(high, math.ceil(middle + spread)) + 1.0)

    def _p_values(self, firsts: Floats, rise: bool) -> Floats:
        chances = self._chances(firsts)
        if rise:
            above: Floats = np.minimum(np.cumsum(chances[::-1])[::-1], 1.0)
            return above
        order = np.argsort(chances)
        upto = np.cumsum(chances[order])
        last = np.searchsorted(chances[order], chances * (1 + _ALIKE), "right") - 1
        p_values: Floats = np.minimum(upto[last], 1.0)
        return p_values

    def dealt(self) -> tuple[Floats, Floats]:
        """How many of the window's rows may be of the kind, and with what probability."""
        firsts = self._possible()
        return firsts, self._chances(firsts)

    def _chances(self, firsts: Floats) -> Floats:
        from scipy.special import gammaln

        cells = (firsts, self.m - firsts, self.both - firsts, self.n - self.both + firsts)
        logarithms = -np.sum([gammaln(cell + 1) for cell in cells], axis=0)
        chances = np.exp(logarithms - logarithms.max())
        dealt: Floats = chances / chances.sum()
        return dealt


def share_tail(difference: float | Floats, share: Floats, n: Floats, m: Floats) -> Floats:
    """P(share of m rows - share of n rows >= difference), for a `share` of all n + m, which are dealt out: (bins,).

    Saddlepoint approximation of the hypergeometric law (Booth and Butler 1990, Biometrika 77, 787-796) in signed
    roots of likelihood ratios, up to a half too high down to 1e-12, and up to a third too low where a window of few
    rows cannot be further off. difference > 0, rows need not be whole numbers.
    """
    from scipy.special import ndtr, rel_entr

    window, reference = share + difference * n / (n + m), share - difference * m / (n + m)
    possible = (window <= 1 + 1e-12) & (reference >= -1e-12)
    window, reference = np.clip(window, 0.0, 1.0), np.clip(reference, 0.0, 1.0)
    sides = ((m, window), (n, reference))
    exponent: Floats = np.sum(
        [rows * (rel_entr(part, share) + rel_entr(1 - part, 1 - share)) for rows, part in sides], axis=0
    )
    root = np.sqrt(2 * np.maximum(exponent, 1e-20))
    with np.errstate(all="ignore"):
        odds = np.log(window) - np.log1p(-window) - np.log(reference) + np.log1p(-reference)
    information = 1 / sum(1 / np.maximum(rows * part * (1 - part), 1e-300) for rows, part in sides)
    # Where a share is 0 or 1, Stirling's formula for no rows is off by just that.
    u = -np.expm1(-odds) * np.sqrt(np.maximum(information, 1 / (2 * math.pi)))
    normal = np.exp(-exponent)
    tail = ndtr(-root) + normal / math.sqrt(2 * math.pi) * (1 / np.maximum(u, 1e-10) - 1 / root)
    tail = np.where(exponent < _TINY, 0.5, np.clip(tail * _SAFE, 0.0, 1.0))
    found: Floats = np.where(possible, tail, 0.0)
    return found


def verdict(reference: Share, window: Share, judged: Judged, why: str = "") -> Score:
    """Effect: the window's share less the reference's, with Newcombe's interval."""
    size = window.part - reference.part
    below, above = newcombe((reference.part, reference.rows), (window.part, window.rows))
    interval = (max(size - below, -1.0), min(size + above, 1.0))
    shown = _detectable(reference, window, judged.threshold)
    if judged.threshold >= 1:
        why = f"{why}; {TOO_FEW}" if why else TOO_FEW
    return Score(judged.statistic, judged.threshold, judged.p_value, size, why, interval, shown)


def declared(reference: Share, window: Share, why: str) -> Score:
    """Of a share that is to be 0: half a row is too much, however little it weighs."""
    fired = window.part > 0
    threshold = min(0.5 / window.rows, window.part / 2) if fired else 0.5 / window.rows
    judged = Judged(window.part, threshold, 0.0 if fired else 1.0)
    return verdict(reference, window, judged, why if fired else "")


def _detectable(reference: Share, window: Share, threshold: float) -> float | None:
    """The rise of the share that is above the threshold in four of five windows."""
    rise = threshold
    for _ in range(_STEPS):
        after = min(reference.part + rise, 1.0)
        spread = reference.part * (1 - reference.part) / reference.rows + after * (1 - after) / window.rows
        rise = of_distance(threshold, math.sqrt(spread))
    return rise if threshold < 1 and reference.part + rise <= 1 else None
