"""The value of a statistic between what is compared, from which four of five windows are above its threshold."""

import math

POWER = 0.8416212335729143  # standard normal, four fifths
# Half the mean largest height of a Brownian bridge: a largest difference has that much of chance beside a change.
_CHANCE = math.sqrt(math.pi / 8) / 2


def of_quadratic(threshold: float, mean: float, deviation: float, largest: float) -> float:
    """Of a sum of squares, whose `mean` and `deviation` these are without a change; `largest`: a square's weight."""
    above = threshold - mean
    half = above + 2 * largest * POWER**2
    root = math.sqrt(max(half**2 - above**2 + (POWER * deviation) ** 2, 0.0))
    return max(half + root, 0.0)


def of_distance(threshold: float, deviation: float) -> float:
    """Of a statistic that varies by `deviation` about its value."""
    return threshold + POWER * deviation


def of_largest(threshold: float, spread: float) -> float:
    """Of a largest difference of two curves, `spread` being sqrt(1 / n + 1 / m)."""
    return threshold + (POWER / 2 - _CHANCE) * spread
