"""The sliced Wasserstein distance."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from core.distribution import Floats
from core.findings import Score
from detectors._intervals import NORMAL_95
from detectors._power import of_distance
from detectors.protocols import Indices, JointScore

from ._columns import Samples, nothing, sampled, shares, standardised
from ._pearson import PearsonIII

_MOST_CELLS = 4_000_000  # rows times permutations in memory at once
_ROWS_WITHOUT = 1000  # of each sample, to see what is lost without each field


@dataclass(frozen=True)
class SlicedWasserstein:
    """Mean over random directions of the Wasserstein distance of order 1 between the two samples' projections (Rabin
    et al. 2011, SSVM, LNCS 6667, 435-446; Bonneel et al. 2015, J. Math. Imaging Vis. 51, 22-45). For embeddings: it
    costs rows times columns, never rows squared. In units of a column's deviation, see `_columns.py`. Effect: what
    of it is more than chance puts between samples that are alike.

    directions: 1..1000. rows: most rows of each sample, 10 and up. seed: of directions, rows and permutations.
    permutations: 100..10,000, of the rows' sides; a gamma law with the first three moments of what they give is good
        far beyond them, though the error of the moments makes one of about a factor of two at a p-value of 1e-5.

    >>> rng = np.random.default_rng(1)
    >>> reference, window = rng.normal(size=(500, 64)), rng.normal(size=(500, 64))
    >>> SlicedWasserstein().compare_rows(reference, window + 0.2, alpha=0.001).verdict.fired
    True
    """

    directions: Annotated[int, Field(ge=1, le=1000)] = 50
    rows: Annotated[int, Field(ge=10)] = 5000
    permutations: Annotated[int, Field(ge=100, le=10_000)] = 400
    seed: Annotated[int, Field(ge=0)] = 0
    heavy: ClassVar[bool] = False

    def compare_rows(
        self, reference: Floats, window: Floats, alpha: float, fields: Indices | None = None
    ) -> JointScore:
        kept = sampled((reference, window), fields, self.rows, self.seed)
        if isinstance(kept, str):
            return nothing(reference, fields, kept)
        samples, random = standardised(kept), np.random.default_rng(self.seed)
        directions = _directions(self.directions, samples.reference.shape[1], random)
        tested = self._tested(samples, directions, random)
        verdict = _verdict(tested, alpha)
        contributions = nothing(reference, fields, "").contributions
        if verdict.fired:
            contributions[: samples.number_of_fields] = shares(_lost_without(samples, directions))
        return JointScore(verdict, contributions, tested.law.curve)

    def _tested(self, samples: Samples, directions: Floats, random: np.random.Generator) -> "_Tested":
        n, both = len(samples.reference), np.vstack([samples.reference, samples.window])
        projected = both @ directions
        own = _signs(np.arange(len(both))[:, None], n)
        drawn = np.concatenate([self._permuted(projected, n, count, random) for count in self._portions(len(both))])
        return _Tested(_mean_distance(projected, own)[0], _law(drawn), _error(projected, n))

    def _portions(self, rows: int) -> Iterator[int]:
        most = max(1, _MOST_CELLS // rows)
        for done in range(0, self.permutations, most):
            yield min(most, self.permutations - done)

    def _permuted(self, projected: Floats, n: int, count: int, random: np.random.Generator) -> Floats:
        dealt = np.stack([random.permutation(len(projected)) for _ in range(count)], axis=1)
        return _mean_distance(projected, _signs(dealt, n))


class _Tested(NamedTuple):
    """A distance, its law without a change, and its standard error as it is."""

    distance: float
    law: PearsonIII
    error: float


def _verdict(found: _Tested, alpha: float) -> Score:
    """Chance puts the law's mean between samples that are alike, and less between others: the interval reaches from
    all of that taken away to none."""
    distance, law, threshold = found.distance, found.law, found.law.critical_value(alpha)
    error = max(found.error, law.deviation)
    effect, wide = distance - law.mean, NORMAL_95 * error
    interval, shown = (effect - wide, distance + wide), of_distance(threshold, error) - law.mean
    return Score(distance, threshold, law.p_value(distance), effect, "", interval, shown)


def _error(projected: Floats, n: int) -> float:
    """By what each row does to the distance: along a line it moves one curve away from the other, or towards it, in all
    that lies beyond the row (the influence function; del Barrio, Gine and Matran 1999, Ann. Prob. 27, 1009-1071)."""
    pull = np.zeros(len(projected))
    for line in projected.T:
        order = np.argsort(line, kind="stable")
        above = np.sign(np.cumsum(_signs(order, n))[:-1])
        pull[order[1:]] += np.cumsum(above * np.diff(line[order]))
    pull /= projected.shape[1]
    first, second = pull[:n], pull[n:]
    return math.sqrt(float(first.var(ddof=1)) / len(first) + float(second.var(ddof=1)) / len(second))


def _directions(count: int, columns: int, random: np.random.Generator) -> Floats:
    """Unit vectors, uniform on the sphere; shape (columns, count)."""
    drawn = random.normal(size=(columns, count))
    unit: Floats = drawn / np.linalg.norm(drawn, axis=0)
    return unit


def _signs(places: Indices, n: int) -> Floats:
    """Weights of the rows at these places: those of the first sample, places below n, sum to 1, the others to -1."""
    return np.where(places < n, 1 / n, -1 / (len(places) - n))


def _mean_distance(projected: Floats, signs: Floats) -> Floats:
    """Over the directions, for each column of `signs`, shape (rows, permutations): the area between the two curves."""
    total = np.zeros(signs.shape[1])
    for line in projected.T:
        order = np.argsort(line, kind="stable")
        between = np.abs(np.cumsum(signs[order][:-1], axis=0))
        total += np.diff(line[order]) @ between
    return total / projected.shape[1]


def _law(drawn: Floats) -> PearsonIII:
    mean, deviation = float(drawn.mean()), float(drawn.std(ddof=1))
    return PearsonIII(mean, deviation, float((((drawn - mean) / deviation) ** 3).mean()))


def _lost_without(samples: Samples, directions: Floats) -> Floats:
    """By how much the distance falls when a field is left out, shape (fields,)."""
    first, second = samples.reference[:_ROWS_WITHOUT], samples.window[:_ROWS_WITHOUT]
    both, signs = np.vstack([first, second]), _signs(np.arange(len(first) + len(second))[:, None], len(first))
    whole = both @ directions
    without = (
        whole - both[:, samples.fields == field] @ directions[samples.fields == field]
        for field in range(samples.number_of_fields)
    )
    distance = float(_mean_distance(whole, signs)[0])
    return np.array([distance - float(_mean_distance(some, signs)[0]) for some in without])
