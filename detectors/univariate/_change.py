"""How large a change is, whatever the number of rows, and how well that is known."""

import math
from typing import NamedTuple

import numpy as np

from core.distribution import Distribution, Floats
from detectors._intervals import newcombe

from ._bins import Counts, by_value
from ._curves import known_rows
from ._design import effects


class Change(NamedTuple):
    """The effect, and its 95 % confidence interval; None where they are not defined."""

    size: float | None = None
    interval: tuple[float, float] | None = None


def change(reference: Distribution, window: Distribution) -> Change:
    """Numbers: shift of the mean in standard deviations of the reference, missing values left out; not defined for a
    constant reference, infinite values, and where a side has no value. Categories: total variation distance, 0..1, with
    missing a category of its own: the share of rows that would have to change.
    """
    if reference.kind == "cat":
        return _of_categories(by_value(reference, window))
    with np.errstate(all="ignore"):
        return _of_numbers(reference, window)


def _of_numbers(reference: Distribution, window: Distribution) -> Change:
    """Delta method for (mean of window - mean) / deviation of the reference, with the variances of the sampling design
    and Student's quantile at Welch's degrees of freedom. It takes four moments: of heavier tails the interval is as
    unsteady as the mean itself.
    """
    if not reference.deviation > 0 or not len(window.values):
        return Change()
    size = (window.mean - reference.mean) / reference.deviation
    if not math.isfinite(size):
        return Change()
    squares, skewed, fourth = reference.mean_squares
    of_window = mean_variance(window) / reference.deviation**2
    of_reference = squares + size * skewed + size * (size / 4 * fourth)
    freedom = welch_freedom((of_reference, of_window), (known_rows(reference), known_rows(window)))
    half = student(freedom) * math.sqrt(of_reference + of_window)
    return Change(size, (size - half, size + half) if math.isfinite(half) else None)


def mean_variance(side: Distribution) -> float:
    """Of the mean of a sample's numbers."""
    rows = known_rows(side)
    if rows <= 1:
        return math.nan
    spread = 1 / rows if side.squares is None or not side.deviation else side.mean_squares[0]
    return side.deviation**2 * spread * rows / (rows - 1)


def welch_freedom(variances: tuple[float, float], rows: tuple[float, float]) -> float:
    """Degrees of freedom of a sum of two estimated variances (Welch 1947, Biometrika 34, 28-35); at least 1."""
    total = sum(variances)
    if not 0 < total < math.inf:
        return 1.0
    return max(1 / sum((v / total) ** 2 / max(r - 1, 1e-9) for v, r in zip(variances, rows, strict=True)), 1.0)


def student(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


def _of_categories(counts: Counts) -> Change:
    """The distance is the difference of the shares of the categories that gained. It is at most what its estimate is on
    average, and at least the estimate less what chance alone puts between the shares: so the interval holds near 0.
    """
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    p, q = counts.reference / n, counts.window / m
    size, gained, each = min(float(np.abs(q - p).sum() / 2), 1.0), q > p, effects(counts)
    fewer = float(each.max())
    below, above = newcombe((float(p[gained].sum()), n / fewer), (float(q[gained].sum()), m / fewer))
    pooled = (counts.reference + counts.window) / (n + m)
    own, alike = p * (1 - p) / n + q * (1 - q) / m, pooled * (1 - pooled) * (1 / n + 1 / m)
    chance = float(_folded(np.abs(q - p), np.sqrt(each * np.maximum(own, alike))).sum() / 2)
    return Change(size, (max(size - chance - below, 0.0), min(size + above, 1.0)))


def _folded(differences: Floats, deviations: Floats) -> Floats:
    """By how much |d| is too large on average, the true difference being two deviations less than the one seen."""
    from scipy.special import ndtr

    true = np.maximum(differences - 2 * deviations, 0.0)
    at = true / np.maximum(deviations, 1e-300)
    excess: Floats = deviations * math.sqrt(2 / math.pi) * np.exp(-(at**2) / 2) - 2 * true * ndtr(-at)
    return excess
