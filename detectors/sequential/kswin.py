"""Kolmogorov-Smirnov windowing."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Floats
from detectors.protocols import State, StreamScores
from detectors.univariate._kolmogorov import critical_value

_AT_ONCE = 1024  # windows sorted together
_LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class KSWIN:
    """The KS test of the newest values of a sliding window against its older ones, after every value (Raab, Heusinger
    and Schleif 2020, Neurocomputing 416, 340-351). Score: the largest difference D of the two, 0..1.

    alpha: of each test, above 0 and below 1; the tests of values close to each other go together. window_size: values
    in the window. stat_size: the newest of them that are compared, below window_size. The paper draws as many of the
    older ones at random; here all are taken, so that chance decides nothing and more is seen.

    The stream is compared with its own past, never with the reference. After an alarm the newest values remain.

    >>> window = KSWIN()
    >>> values = np.random.default_rng(1).normal(size=1000)
    >>> seen = window.update(window.start(Distribution.of_numbers(values)), np.append(values, values + 3))
    >>> int(np.argmax(seen.scores > window.threshold))
    1015
    """

    alpha: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    window_size: Annotated[int, Field(ge=4, le=10_000)] = 100
    stat_size: Annotated[int, Field(ge=2, le=5000)] = 30
    feeds: ClassVar[Literal["values", "errors"]] = "values"

    @cached_property
    def threshold(self) -> float:
        """Infinite where stat_size leaves nothing to compare with."""
        older = self.window_size - self.stat_size
        return critical_value(self.alpha, self.stat_size, older) if older > 0 else np.inf

    def start(self, reference: Distribution) -> State | str:
        if self.stat_size >= self.window_size:
            return f"stat_size {self.stat_size} is not below window_size {self.window_size}"
        return {"window": []}

    def update(self, state: State, values: Floats) -> StreamScores:
        kept, scores, at = np.array(state["window"], dtype=float), np.full(len(values), np.nan), 0
        values = np.clip(values, -_LARGEST, _LARGEST)
        while at < len(values):
            some = np.append(kept, values[at : at + _AT_ONCE])
            found = self._differences(some)
            alarms = np.flatnonzero(found > self.threshold)
            last = int(alarms[0]) if len(alarms) else len(found) - 1
            first = at + self.window_size - 1 - len(kept)  # which value makes the first window whole
            scores[first : first + last + 1] = found[: last + 1]
            end = first + last + 1 if len(alarms) else min(at + _AT_ONCE, len(values))
            before = np.append(kept, values[at:end])
            kept = before[len(before) - self.stat_size :] if len(alarms) else before[-(self.window_size - 1) :]
            at = end
        return StreamScores({"window": kept.tolist()}, scores)

    def _differences(self, values: Floats) -> Floats:
        """D of every whole window in `values`, shape (windows,)."""
        if len(values) < self.window_size:
            return np.zeros(0)
        windows = np.lib.stride_tricks.sliding_window_view(values, self.window_size)
        order, older = np.argsort(windows, axis=1, kind="stable"), self.window_size - self.stat_size
        ascending = np.take_along_axis(windows, order, axis=1)
        curves = np.cumsum(np.where(order < older, 1 / older, -1 / self.stat_size), axis=1)
        between = ascending[:, 1:] == ascending[:, :-1]  # a difference counts after the last of equal values only
        curves[:, :-1][between] = 0.0
        differences: Floats = np.abs(curves).max(axis=1)
        return differences
