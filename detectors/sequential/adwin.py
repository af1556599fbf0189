"""Adaptive windowing."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Floats
from detectors.protocols import State, StreamScores

from ._scale import ends, within


@dataclass(frozen=True)
class ADWIN:
    """A window over the newest values that drops its oldest while any cut leaves two parts whose means differ by more
    than chance allows (Bifet and Gavalda 2007, SDM, 443-448; ADWIN2, with buckets of exponential sizes).

    Score: the largest difference of means over what is allowed for it, seen at each `clock`-th value; threshold 1.
    The bound is for values in 0..1: the reference's 1st and 99th percentile are put there, what lies beyond is cut.

    delta: confidence, above 0 and below 1; the probability that a cut is false, over the whole window. clock: values
    from one look to the next. max_buckets: of one size. min_window_length: values of either part. grace_period: values
    before the first look. The paper's values but for delta, which is 0.002 there: one look in thousands may be false.

    >>> window = ADWIN()
    >>> values = np.random.default_rng(1).normal(size=1000)
    >>> seen = window.update(window.start(Distribution.of_numbers(values)), np.append(values, values + 3))
    >>> int(np.argmax(seen.scores > window.threshold))
    1055
    """

    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    clock: Annotated[int, Field(ge=1)] = 32
    max_buckets: Annotated[int, Field(ge=2, le=100)] = 5
    min_window_length: Annotated[int, Field(ge=1)] = 5
    grace_period: Annotated[int, Field(ge=1)] = 10
    feeds: ClassVar[Literal["values", "errors"]] = "values"

    @property
    def threshold(self) -> float:
        return 1.0

    def start(self, reference: Distribution) -> State | str:
        scale = ends(reference)
        return scale if isinstance(scale, str) else {**scale, "n": 0, "window": [0, 0.0, 0.0], "rows": [[]]}

    def update(self, state: State, values: Floats) -> StreamScores:
        rows = [[_Bucket(*bucket) for bucket in row] for row in state["rows"]]
        buckets, n, scores = _Buckets(rows, *state["window"]), state["n"], np.full(len(values), np.nan)
        for at, value in enumerate(within(state, values)):
            buckets.add(value, self.max_buckets)
            n += 1
            if n % self.clock == 0 and buckets.width > self.grace_period:
                scores[at] = score = self._ratio(buckets)
                while score > 1:
                    buckets.drop_oldest()
                    score = self._ratio(buckets)
        window = [buckets.width, buckets.total, buckets.squares]
        listed = [[list(bucket) for bucket in row] for row in buckets.rows]
        return StreamScores({**state, "n": n, "window": window, "rows": listed}, scores)

    def _ratio(self, buckets: "_Buckets") -> float:
        """Largest |difference of means| over its bound, over all cuts; 0 where neither part is long enough."""
        largest, least = 0.0, self.min_window_length - 1
        variance = max(buckets.squares, 0.0) / buckets.width
        risk = math.log(2 * math.log(buckets.width) / self.delta) if buckets.width > 2 else math.inf
        older, total = 0, 0.0
        for bucket in buckets.oldest_first():
            older, total = older + bucket.size, total + bucket.total
            newer = buckets.width - older
            if min(older, newer) > least and newer:
                shorter = 1 / (older - least) + 1 / (newer - least)
                bound = math.sqrt(2 * shorter * variance * risk) + 2 / 3 * risk * shorter
                largest = max(largest, abs(total / older - (buckets.total - total) / newer) / bound)
        return largest


class _Bucket(NamedTuple):
    """`size` values, their sum, and the sum of their squared deviations from their mean."""

    size: int
    total: float
    squares: float

    def joined(self, other: "_Bucket") -> "_Bucket":
        apart = self.total / self.size - other.total / other.size
        between = self.size * other.size / (self.size + other.size) * apart**2
        return _Bucket(self.size + other.size, self.total + other.total, self.squares + other.squares + between)


@dataclass
class _Buckets:
    """Rows of buckets by size, 1, 2, 4, … values each, the oldest first within a row, and what all hold together."""

    rows: list[list[_Bucket]]
    width: int
    total: float
    squares: float

    def add(self, value: float, most: int) -> None:
        if self.width:
            self.squares += self.width / (self.width + 1) * (value - self.total / self.width) ** 2
        self.width, self.total = self.width + 1, self.total + value
        self.rows[0].append(_Bucket(1, value, 0.0))
        for size, row in enumerate(self.rows):
            if len(row) <= most:
                break
            if size + 1 == len(self.rows):
                self.rows.append([])
            self.rows[size + 1].append(row[0].joined(row[1]))
            del row[:2]

    def drop_oldest(self) -> None:
        gone = self.rows[-1].pop(0)
        if not self.rows[-1] and len(self.rows) > 1:
            self.rows.pop()
        self.width, self.total = self.width - gone.size, self.total - gone.total
        if self.width:
            apart = gone.total / gone.size - self.total / self.width
            self.squares -= gone.squares + gone.size * self.width / (gone.size + self.width) * apart**2

    def oldest_first(self) -> Iterator[_Bucket]:
        for row in reversed(self.rows):
            yield from row
