"""Values in units that the reference gives, so that one threshold is for every field."""

import math

import numpy as np

from core.distribution import Distribution, Floats
from detectors.protocols import State

# Beyond this many standard deviations more makes no difference; keeps infinities out of the sums.
_FARTHEST = 100.0


def mean_and_deviation(reference: Distribution) -> State | str:
    """What `standardised` needs to know; a text says why there is none."""
    if len(reference.values) == 0:
        return "the reference has no values of this field"
    with np.errstate(all="ignore"):
        mean, deviation = float(reference.mean), float(reference.deviation)
    if not (math.isfinite(mean) and math.isfinite(deviation)):
        return "the reference has no finite mean and standard deviation"
    return {"mean": mean, "deviation": deviation}


def standardised(state: State, values: Floats) -> list[float]:
    """In standard deviations of the reference from its mean. Where that is constant, any other value is farthest."""
    with np.errstate(all="ignore"):
        away = values - state["mean"]
        away = away / state["deviation"] if state["deviation"] else np.where(away, np.sign(away) * np.inf, 0.0)
    clipped: list[float] = np.clip(away, -_FARTHEST, _FARTHEST).tolist()
    return clipped


def ends(reference: Distribution) -> State | str:
    """What `within` needs to know: the 1st and the 99th percentile, or all there is where these are one."""
    if len(reference.values) == 0:
        return "the reference has no values of this field"
    heights = reference.heights[1:]
    low, high = reference.values[np.searchsorted(heights, heights[-1] * np.array([0.01, 0.99]))]
    if low == high:
        low, high = reference.values[[0, -1]]
    largest = np.finfo(np.float64).max / 4
    return {"low": float(np.clip(low, -largest, largest)), "high": float(np.clip(high, -largest, largest))}


def within(state: State, values: Floats) -> list[float]:
    """Between these ends, 0..1; what lies beyond is 0 or 1. Where the reference is constant, its value is 0.5."""
    low, width = state["low"], state["high"] - state["low"]
    with np.errstate(all="ignore"):
        share = (values - low) / width if width else 0.5 + np.sign(values - low) / 2
    clipped: list[float] = np.clip(share, 0.0, 1.0).tolist()
    return clipped
