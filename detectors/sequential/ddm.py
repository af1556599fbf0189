"""The drift detection method."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Floats
from detectors.protocols import State, StreamScores


@dataclass(frozen=True)
class DDM:
    """By how many standard deviations the error rate of the model exceeds the lowest that it had (Gama et al. 2004,
    SBIA, LNCS 3171, 286-295): (p + s - p_min) / s_min, p the share of errors since the last alarm and s² the variance
    p (1 - p) / n of it.

    warm_start: labelled predictions before the first alarm, 30 in the paper. drift_threshold: 3 in the paper. The
    lowest rate is one with an error in it: before the first the paper's s_min is 0, and any error an alarm.

    >>> method = DDM()
    >>> seen = method.update(method.start(Distribution.of_numbers(np.zeros(0))), np.arange(200) % 10 == 0)
    >>> seen = method.update(seen.state, np.arange(100) % 2 == 0)
    >>> int(np.argmax(seen.scores > method.threshold))
    22
    """

    warm_start: Annotated[int, Field(ge=1)] = 30
    drift_threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3.0
    feeds: ClassVar[Literal["values", "errors"]] = "errors"

    @property
    def threshold(self) -> float:
        return self.drift_threshold

    def start(self, reference: Distribution) -> State | str:
        return _NEW

    def update(self, state: State, values: Floats) -> StreamScores:
        n, p, p_min, s_min = (state[name] for name in _NEW)
        scores = np.full(len(values), np.nan)
        for at, error in enumerate(values.tolist()):
            n += 1
            p += (error - p) / n
            s = math.sqrt(max(p * (1 - p), 0.0) / n)
            if n <= self.warm_start:
                continue
            if s > 0 and (s_min == 0 or p + s <= p_min + s_min):
                p_min, s_min = p, s
            scores[at] = score = (p + s - p_min) / s_min if s_min else 0.0
            if score > self.drift_threshold:
                n, p, p_min, s_min = _NEW.values()
        return StreamScores(dict(zip(_NEW, (n, p, p_min, s_min), strict=True)), scores)


_NEW = {"n": 0, "p": 0.0, "p_min": 0.0, "s_min": 0.0}
