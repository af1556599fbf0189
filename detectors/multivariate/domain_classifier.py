"""A classifier that is told to tell reference and window apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.distribution import Floats
from core.findings import Score
from detectors._intervals import NORMAL_95
from detectors._power import of_distance
from detectors.protocols import Indices, JointScore

from ._columns import Samples, nothing, sampled, shares
from ._pearson import PearsonIII

_FEWEST_ROWS = 40  # of each sample; half of them are learnt from
_SHUFFLED_ROWS = 500  # of each sample, to see what is lost when a field is shuffled


@dataclass(frozen=True)
class DomainClassifier:
    """How well boosted trees tell rows of the window from rows of the reference: area under the ROC curve, 0..1, 0.5
    where they cannot (Friedman 2003, SLAC-PUB-10325; Lopez-Paz and Oquab 2017, ICLR).

    Cross-validated in two halves, each judged by trees grown on the other. p-value: for either half the area is a rank
    sum of rows that the trees have not seen, with its exact first three moments, ties included. The halves' areas are
    not independent, with many fields they go together entirely: their mean is given the law of one of them. The usual
    errors (Hanley-McNeil, DeLong) of all cross-validated scores at once take it for that of twice as many rows:
    in 800 trials without a change 1 % were then below a nominal 0.1 %.
    Effect: 2 AUC - 1, with its interval by Hanley and McNeil (1982, Radiology 143, 29-36) for the rows of one half.
    Contributions: what of the area is lost when a field's values are shuffled (Breiman 2001, Machine Learning 45).

    trees: 1..1000. leaves: most leaves of a tree, 2..256. rows: most rows of each sample. seed: of the halves.

    >>> rng = np.random.default_rng(1)
    >>> reference, window = rng.normal(size=(800, 3)), rng.normal(size=(800, 3))
    >>> window[:, 1] *= 2
    >>> found = DomainClassifier().compare_rows(reference, window, alpha=0.001)
    >>> found.verdict.fired, int(found.contributions.argmax())
    (True, 1)
    """

    trees: Annotated[int, Field(ge=1, le=1000)] = 50
    leaves: Annotated[int, Field(ge=2, le=256)] = 8
    rows: Annotated[int, Field(ge=_FEWEST_ROWS)] = 10_000
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    heavy: ClassVar[bool] = True

    def compare_rows(
        self, reference: Floats, window: Floats, alpha: float, fields: Indices | None = None
    ) -> JointScore:
        from threadpoolctl import threadpool_limits

        kept = sampled((reference, window), fields, self.rows, self.seed, _FEWEST_ROWS)
        if isinstance(kept, str):
            return nothing(reference, fields, kept)
        # Its threads wait for each other by spinning: on cores that others use, one is ten times as fast as two.
        with threadpool_limits(1, "openmp"):
            return self._compare(kept, alpha, nothing(reference, fields, "").contributions)

    def _compare(self, kept: Samples, alpha: float, none: Floats) -> JointScore:
        halves = list(self._halves(kept))
        ranked = [_ranked(half.scores(half.rows), half.n) for half in halves]
        verdict = _verdict(ranked, alpha)
        contributions = _shuffled(halves, kept.fields, self.seed) if verdict.fired else none
        return JointScore(verdict, contributions, _mean_law(ranked)[0].curve, most=1.0)

    def _halves(self, kept: Samples) -> Iterator["_Half"]:
        split = [np.array_split(side, 2) for side in (kept.reference, kept.window)]
        for one, other in ((0, 1), (1, 0)):
            (learnt, n), (judged, k) = ((np.vstack([s[h] for s in split]), len(split[0][h])) for h in (one, other))
            yield _Half(self._grown(learnt, n), judged, k)

    def _grown(self, rows: Floats, n: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier as Trees

        trees = Trees(max_iter=self.trees, max_leaf_nodes=self.leaves, early_stopping=False, random_state=self.seed)
        weights = np.where(np.arange(len(rows)) < n, 1 / n, 1 / (len(rows) - n)) * len(rows) / 2
        return trees.fit(rows, np.arange(len(rows)) >= n, sample_weight=weights)


class _Half(NamedTuple):
    """Rows that the `trees` have not seen, the reference's `n` first."""

    trees: Any
    rows: Floats
    n: int

    def scores(self, rows: Floats) -> Floats:
        """Higher for what looks more like the window."""
        scores: Floats = self.trees.decision_function(rows)
        return scores


class _Ranked(NamedTuple):
    """An area under the curve of `n` and `m` rows, its law when nothing has changed, its standard error as it is."""

    area: float
    law: PearsonIII
    error: float
    n: int
    m: int


def _ranked(scores: Floats, n: int) -> _Ranked:
    ranks, m = _middle_ranks(scores), len(scores) - n
    area = (float(ranks[n:].sum()) - m * (m + 1) / 2) / (n * m)
    return _Ranked(area, _rank_sum_law(ranks, m), _hanley_mcneil(area, n, m), n, m)


def _verdict(ranked: list[_Ranked], alpha: float) -> Score:
    area, law, error = float(np.mean([r.area for r in ranked])), *_mean_law(ranked)
    threshold = law.critical_value(alpha)
    effect, wide = 2 * area - 1, 2 * NORMAL_95 * error
    reason = "" if threshold < 1 else "too few rows for any area to fire at this alpha"
    interval = (max(effect - wide, -1.0), min(effect + wide, 1.0))
    return Score(area, threshold, law.p_value(area), effect, reason, interval, _detectable(threshold, ranked))


def _detectable(threshold: float, ranked: list[_Ranked]) -> float | None:
    """Where the area varies as it does just at the threshold."""
    if threshold >= 1:
        return None
    area = of_distance(threshold, float(np.mean([_hanley_mcneil(threshold, r.n, r.m) for r in ranked])))
    return 2 * area - 1 if area <= 1 else None


def _mean_law(ranked: list[_Ranked]) -> tuple[PearsonIII, float]:
    """As if all went together: the mean of their laws, moment by moment, and of their errors."""
    mean, deviation, skewness = (float(np.mean(moment)) for moment in zip(*(r.law for r in ranked), strict=True))
    return PearsonIII(mean, deviation, skewness), float(np.mean([r.error for r in ranked]))


def _middle_ranks(scores: Floats) -> Floats:
    _, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: Floats = (last - (counts - 1) / 2)[where]
    return middle


def _rank_sum_law(ranks: Floats, m: int) -> PearsonIII:
    """Of the area when `m` of the N ranks are drawn without replacement (Cochran 1977, Sampling Techniques, 2.4 and
    2.15): mean 1/2, and the second and third moment of the sum of a sample of a finite population."""
    total, n = len(ranks), len(ranks) - m
    away = ranks - ranks.mean()
    second, third = float((away**2).mean()), float((away**3).mean())
    variance = second * m * n / (total - 1)
    if not variance > 0:
        return PearsonIII(0.5, 0.5 / m, 0.0)  # all scores are one
    cubed = third * m * n * (n - m) / ((total - 1) * (total - 2))
    return PearsonIII(0.5, variance**0.5 / (n * m), cubed / variance**1.5)


def _hanley_mcneil(area: float, n: int, m: int) -> float:
    q1, q2, square = area / (2 - area), 2 * area**2 / (1 + area), area**2
    variance = (area * (1 - area) + (m - 1) * (q1 - square) + (n - 1) * (q2 - square)) / (n * m)
    return float(max(variance, 0.0) ** 0.5)


def _shuffled(halves: list[_Half], fields: Indices, seed: int) -> Floats:
    lost = [list(_losses(_fewer(half), fields, np.random.default_rng(seed))) for half in halves]
    return shares(np.mean(lost, axis=0))


def _fewer(half: _Half) -> _Half:
    first, second = half.rows[: half.n][:_SHUFFLED_ROWS], half.rows[half.n :][:_SHUFFLED_ROWS]
    return _Half(half.trees, np.vstack([first, second]), len(first))


def _losses(half: _Half, fields: Indices, random: np.random.Generator) -> Iterator[float]:
    whole = _ranked(half.scores(half.rows), half.n).area
    order: NDArray[np.intp] = random.permutation(len(half.rows))
    for field in range(int(fields.max()) + 1):
        shuffled = np.where(fields == field, half.rows[order], half.rows)
        yield whole - _ranked(half.scores(shuffled), half.n).area
