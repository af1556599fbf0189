"""The cumulative sum chart."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Floats
from detectors.protocols import State, StreamScores

from ._scale import mean_and_deviation, standardised


@dataclass(frozen=True)
class CUSUM:
    """Sums of what exceeds the reference's mean by more than k, and of what falls below it by more, each never below 0
    (Page 1954, Biometrika 41, 100-115). Score: the larger of the two, in standard deviations of the reference.

    k: the allowance, half of the shift to be found soonest, 0 and up. h: the decision interval, above 0. Between false
    alarms lie (exp(b) - b - 1) / 4 k² values on average, b = 2 k (h + 1.166), when they are independent and normal
    (Siegmund 1985, Sequential Analysis, 2.6; both sides together): 470 for the textbooks' h of 5, 10 million for 15.

    >>> chart = CUSUM()
    >>> state = chart.start(Distribution.of_numbers(np.random.default_rng(1).normal(300, 3, 1000)))
    >>> bool(chart.update(state, np.full(20, 306.0)).scores.max() > chart.threshold)
    True
    """

    k: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    h: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 15.0
    feeds: ClassVar[Literal["values", "errors"]] = "values"

    @property
    def threshold(self) -> float:
        return self.h

    def start(self, reference: Distribution) -> State | str:
        scale = mean_and_deviation(reference)
        return scale if isinstance(scale, str) else {**scale, "above": 0.0, "below": 0.0}

    def update(self, state: State, values: Floats) -> StreamScores:
        above, below, scores = state["above"], state["below"], np.empty(len(values))
        for at, z in enumerate(standardised(state, values)):
            above, below = max(above + z - self.k, 0.0), max(below - z - self.k, 0.0)
            scores[at] = score = max(above, below)
            if score > self.h:
                above = below = 0.0
        return StreamScores({**state, "above": above, "below": below}, scores)
