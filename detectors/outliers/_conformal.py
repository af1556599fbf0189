"""From a measure of how unusual a row is to outliers and a verdict on the window, with exact probabilities.

Split conformal anomaly detection (Laxhammar and Falkman 2010, COPA; Bates et al. 2023, Ann. Stat. 51, 149-178): the
measure is fitted on one half of the reference and calibrated on the other, which it has not seen, so that a row like
the reference's is as unusual as any calibration row, whatever the measure and the data.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.distribution import Floats
from core.findings import Score
from detectors._intervals import newcombe
from detectors._power import POWER
from detectors.protocols import LAW_AT, Bools, RowScores

Measure = Callable[[Floats], Floats]
"""How unusual each row is: (rows, fields), finite, to (rows,), higher is more unusual."""

# Beyond this many standard deviations more makes no difference; keeps infinities out of the arithmetic.
_FARTHEST = 1e6


@dataclass(frozen=True)
class Conformal:
    """contamination: share of rows like the reference's to call outliers, at most. seed: of the split into halves."""

    contamination: float
    seed: int

    def judge(
        self, fit: Callable[[Floats], Measure], samples: tuple[Floats, Floats], alpha: float, counted: Bools | None
    ) -> RowScores:
        """Outliers among the rows of samples = (reference, window), and whether too many of those counted are.

        With the k-th highest of m calibration scores as the threshold, the number of n rows above it is beta-binomial
        (n; k, m + 1 - k), an exact law (Wilks 1942, Ann. Math. Stat. 13, 400-409); an upper bound where scores tie.
        """
        reference, window = samples
        if reason := _undecidable(reference, window):
            return _nothing(len(window), reason)
        shuffled = np.random.default_rng(self.seed).permutation(len(reference))
        fitted, calibration = np.array_split(reference[shuffled], 2)
        scale = _Scale.of(fitted)
        if not scale.deviation.any():
            return _nothing(len(window), "every field is constant or missing in the half of the reference fitted on")
        measure = fit(scale(fitted))
        highest = np.sort(measure(scale(calibration)))[::-1]
        k = max(int(self.contamination * (len(highest) + 1)), 1)
        scores, threshold = measure(scale(window)), float(highest[k - 1])
        judged = scores if counted is None else scores[counted]
        found = _Beyond(int((judged > threshold).sum()), len(judged), k, len(highest))
        at_least = tail(found.n, found.k, found.m)
        law = np.array([_threshold(at_least, at) for at in LAW_AT])
        return RowScores(scores, threshold, _verdict(found, at_least, alpha), law)


class _Beyond(NamedTuple):
    """So many of n rows are above the k-th highest score of m others."""

    rows: int
    n: int
    k: int
    m: int


def tail(n: int, k: int, m: int) -> Floats:
    """P(X >= x) for x = 0..n, X of n rows being above the k-th highest of m others, all exchangeable."""
    from scipy.special import betaln, gammaln

    x = np.arange(n + 1)
    ways = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    chances = np.exp(ways + betaln(x + k, n - x + m + 1 - k) - betaln(k, m + 1 - k))
    at_least: Floats = np.minimum(np.cumsum(chances[::-1])[::-1], 1.0)
    return at_least


def _threshold(at_least: Floats, alpha: float) -> float:
    """Half a row below the share that fires, so that rounding does not matter."""
    enough = int(np.searchsorted(-at_least, -alpha, "right"))
    return (enough - 0.5) / (len(at_least) - 1)


def _verdict(beyond: _Beyond, at_least: Floats, alpha: float) -> Score:
    """Effect: what the share of outliers is more than it is among rows like the reference's, k / (m + 1). Its interval
    is for this threshold, as outliers are by another one others."""
    rows, n, k, m = beyond
    share, usual, threshold = rows / n, k / (m + 1), _threshold(at_least, alpha)
    below, above = newcombe((usual, m + 1), (share, n))
    effect, interval = share - usual, (share - usual - below, share - usual + above)
    reason = "too few rows for any share of outliers to fire at this alpha" if threshold > 1 else ""
    detectable = _detectable(threshold, n, k)
    shown = detectable - usual if detectable is not None else None
    return Score(share, threshold, float(at_least[rows]), effect, reason, interval, shown)


def _detectable(threshold: float, n: int, k: int) -> float | None:
    """The share p of outliers that is above the threshold in four of five windows: p less that quantile of its standard
    deviation, sqrt(p (1 - p) / n + p² / k), is the threshold. The second part is what a calibration score that lies
    elsewhere makes of p, if outliers become more in proportion wherever it lies."""
    squared = POWER**2
    a, b = 1 - squared * (1 / k - 1 / n), 2 * threshold + squared / n
    share = (b + math.sqrt(max(b**2 - 4 * a * threshold**2, 0.0))) / (2 * a)
    return share if share <= 1 else None


def _undecidable(reference: Floats, window: Floats) -> str:
    if len(reference) < 2:
        return f"the reference has {len(reference)} rows, fewer than the 2 needed"
    return "" if len(window) else "the window has no rows"


def _nothing(rows: int, reason: str) -> RowScores:
    return RowScores(np.full(rows, np.nan), np.inf, Score(None, None, reason=reason))


@dataclass(frozen=True)
class _Scale:
    """Missing cells become the median, then each field is centred and divided by its standard deviation.

    Both are of the half fitted on: had the other half a part in them, its rows would differ from the window's.
    """

    centre: Floats
    deviation: Floats

    @classmethod
    def of(cls, rows: Floats) -> "_Scale":
        known = [column[np.isfinite(column)] for column in rows.T]
        centre = np.array([np.median(c) if len(c) else 0.0 for c in known])
        with np.errstate(all="ignore"):
            deviation = np.array([c.std() if len(c) and c.min() < c.max() else 0.0 for c in known])
        return cls(centre, np.where(np.isfinite(deviation), deviation, np.finfo(np.float64).max))

    def __call__(self, rows: Floats) -> Floats:
        with np.errstate(all="ignore"):
            away = (rows - self.centre) / np.where(self.deviation > 0, self.deviation, 1.0)
        return np.clip(np.where(np.isnan(rows), 0.0, away), -_FARTHEST, _FARTHEST)
