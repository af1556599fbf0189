"""The Page-Hinkley test."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Floats
from detectors.protocols import State, StreamScores

from ._scale import mean_and_deviation, standardised


@dataclass(frozen=True)
class PageHinkley:
    """How far the sum of deviations from the running mean has risen above its lowest point, or fallen below its highest
    (Page 1954, Biometrika 41, 100-115; Hinkley 1971, Biometrika 58, 509-523; the form of Mouss et al. 2004 and of
    river). The mean is the stream's own: drift that was there before the stream began is not seen.

    Values are in standard deviations of the reference. delta: the change that is tolerated, 0 and up. threshold:
    lambda, above 0. alpha: what is kept of the sums with each value, above 0 and up to 1. min_instances: values before
    the first alarm. mode: which changes of the mean count, `up`, `down` or `both`.

    >>> test = PageHinkley()
    >>> values = np.random.default_rng(1).normal(size=1000)
    >>> seen = test.update(test.start(Distribution.of_numbers(values)), np.append(values, values + 3))
    >>> int(np.argmax(seen.scores > test.threshold))
    1015
    """

    delta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 50.0
    alpha: Annotated[float, Field(gt=0, le=1)] = 0.9999
    min_instances: Annotated[int, Field(ge=1)] = 30
    mode: Literal["up", "down", "both"] = "both"
    feeds: ClassVar[Literal["values", "errors"]] = "values"

    def start(self, reference: Distribution) -> State | str:
        scale = mean_and_deviation(reference)
        return scale if isinstance(scale, str) else {**scale, **_NEW}

    def update(self, state: State, values: Floats) -> StreamScores:
        n, own_mean, rise, fall, lowest, highest = (state[name] for name in _NEW)
        scores = np.full(len(values), np.nan)
        for at, z in enumerate(standardised(state, values)):
            n += 1
            own_mean += (z - own_mean) / n
            rise = self.alpha * rise + z - own_mean - self.delta
            fall = self.alpha * fall + z - own_mean + self.delta
            lowest, highest = (min(lowest, rise), max(highest, fall)) if n > 1 else (rise, fall)
            if n < self.min_instances:
                continue
            scores[at] = score = self._score(rise - lowest, highest - fall)
            if score > self.threshold:
                n, own_mean, rise, fall, lowest, highest = _NEW.values()
        gone_on = zip(_NEW, (n, own_mean, rise, fall, lowest, highest), strict=True)
        return StreamScores({**state, **dict(gone_on)}, scores)

    def _score(self, up: float, down: float) -> float:
        return max(up, down) if self.mode == "both" else (up if self.mode == "up" else down)


_NEW = {"n": 0, "own_mean": 0.0, "rise": 0.0, "fall": 0.0, "lowest": 0.0, "highest": 0.0}
