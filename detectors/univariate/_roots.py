"""Where a falling probability crosses a level."""

import math
from collections.abc import Callable

_STEPS = 100
_PRECISION = 1e-12


def crossing(probability: Callable[[float], float], level: float, between: tuple[float, float]) -> float:
    """The x > 0 from which on `probability`, which falls, is below `level`; an end where it is so everywhere or
    nowhere.

    False position on the logarithms, in turns with halving: a tail is nearly straight there.
    """
    (low, high), target = between, math.log(level)
    ends = [(math.log(x), math.log(max(probability(x), 1e-320)) - target) for x in (low, high)]
    if ends[0][1] < 0:
        return low
    if ends[1][1] >= 0:
        return high
    for step in range(_STEPS):
        (a, above), (b, below) = ends
        if b - a < _PRECISION * max(abs(a), abs(b), 1.0):
            break
        middle = (a + b) / 2 if step % 3 == 2 else a + (b - a) * above / (above - below)
        middle = min(max(middle, a + (b - a) * 1e-3), b - (b - a) * 1e-3) if step % 3 else middle
        value = math.log(max(probability(math.exp(middle)), 1e-320)) - target
        ends[value < 0] = (middle, value)
        if abs(value) < _PRECISION:
            break
    return math.exp(ends[1][0])
