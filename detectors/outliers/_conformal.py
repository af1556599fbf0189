"""From a measure of how unusual a row is to outliers and a verdict on the window, with exact probabilities.

Split conformal anomaly detection (Laxhammar and Falkman 2010, COPA; Bates et al. 2023, Ann. Stat. 51, 149-178): the
measure is fitted on one half of the reference and calibrated on the other, which it has not seen, so that a row like
the reference's is as unusual as any calibration row, whatever the measure and the data.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.distribution import Floats
from core.findings import Score
from detectors.protocols import Bools, RowScores

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
        outliers = int((judged > threshold).sum())
        return RowScores(scores, threshold, _verdict(outliers, tail(len(judged), k, len(highest)), alpha))


def tail(n: int, k: int, m: int) -> Floats:
    """P(X >= x) for x = 0..n, X of n rows being above the k-th highest of m others, all exchangeable."""
    from scipy.special import betaln, gammaln

    x = np.arange(n + 1)
    ways = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    chances = np.exp(ways + betaln(x + k, n - x + m + 1 - k) - betaln(k, m + 1 - k))
    at_least: Floats = np.minimum(np.cumsum(chances[::-1])[::-1], 1.0)
    return at_least


def _verdict(outliers: int, at_least: Floats, alpha: float) -> Score:
    rows = len(at_least) - 1
    enough = int(np.searchsorted(-at_least, -alpha, "right"))
    reason = "" if enough <= rows else "too few rows for any share of outliers to fire at this alpha"
    # Half a row below the share that fires, so that rounding does not matter.
    return Score(outliers / rows, (enough - 0.5) / rows, float(at_least[outliers]), None, reason)


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
