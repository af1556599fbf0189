"""The early drift detection method."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Floats
from detectors.protocols import State, StreamScores


@dataclass(frozen=True)
class EDDM:
    """By what share the distances between errors have shrunk from the largest they had (Baena-Garcia et al. 2006,
    Fourth International Workshop on Knowledge Discovery from Data Streams): 1 - (p + 2 s) / (p_max + 2 s_max), p the
    mean distance of two errors since the last alarm, in predictions, s its standard deviation. It sees gradual changes
    early; with the paper's beta it takes a good deal of chance for one; 0.5 is calm.

    warm_start: errors, and labelled predictions, before the first alarm; 30 in the paper. beta: above 0 and below 1,
    0.9 in the paper; an alarm is a score above 1 - beta.

    >>> method, random = EDDM(beta=0.5), np.random.default_rng(1)
    >>> errors = random.random(2000) < np.repeat([0.1, 0.4], 1000)
    >>> seen = method.update(method.start(Distribution.of_numbers(np.zeros(0))), errors)
    >>> int(np.argmax(seen.scores > method.threshold))
    1455
    """

    warm_start: Annotated[int, Field(ge=1)] = 30
    beta: Annotated[float, Field(gt=0, lt=1)] = 0.9
    feeds: ClassVar[Literal["values", "errors"]] = "errors"

    @property
    def threshold(self) -> float:
        return 1 - self.beta

    def start(self, reference: Distribution) -> State | str:
        return _NEW

    def update(self, state: State, values: Floats) -> StreamScores:
        n, errors, last, mean, squares, largest = (state[name] for name in _NEW)
        scores = np.full(len(values), np.nan)
        for at, error in enumerate(values.tolist()):
            n += 1
            if not error:
                continue
            errors, distance, last = errors + 1, n - last, n
            before, mean = mean, mean + (distance - mean) / errors
            squares += (distance - before) * (distance - mean)
            if n <= self.warm_start:
                continue
            spread = mean + 2 * math.sqrt(squares / (errors - 1) if errors > 1 else 0.0)
            largest = max(largest, spread)
            if errors > self.warm_start:
                scores[at] = score = 1 - spread / largest
                if score > 1 - self.beta:
                    n, errors, last, mean, squares, largest = _NEW.values()
        return StreamScores(dict(zip(_NEW, (n, errors, last, mean, squares, largest), strict=True)), scores)


_NEW = {"n": 0, "errors": 0, "last": 0, "mean": 0.0, "squares": 0.0, "largest": 0.0}
