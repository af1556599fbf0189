"""Outliers by isolation forest."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from core.distribution import Floats
from detectors.protocols import Bools, RowScores

from ._conformal import Conformal, Measure


@dataclass(frozen=True)
class IsolationForest:
    """How few random cuts set a row apart from the others, 0..1 (Liu, Ting and Zhou 2008, ICDM, 413-422).

    contamination: share of rows like the reference's that may be called outliers, above 0 and up to 0.5.
    trees: number of trees, 1..1000. sample_rows: rows each tree is grown on, 2 and up; both as in the paper.
    seed: of the trees and of the split of the reference, see `_conformal.py`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> reference, window = rng.normal(size=(1000, 3)), rng.normal(size=(200, 3))
    >>> window[:20] += 10
    >>> IsolationForest().score(reference, window, alpha=0.05).verdict.fired
    True
    """

    contamination: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    trees: Annotated[int, Field(ge=1, le=1000)] = 100
    sample_rows: Annotated[int, Field(ge=2)] = 256
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    heavy: ClassVar[bool] = True

    def score(self, reference: Floats, window: Floats, alpha: float, counted: Bools | None = None) -> RowScores:
        return Conformal(self.contamination, self.seed).judge(self._fit, (reference, window), alpha, counted)

    def _fit(self, rows: Floats) -> Measure:
        from sklearn.ensemble import IsolationForest as Forest

        forest = Forest(
            n_estimators=self.trees, max_samples=min(self.sample_rows, len(rows)), random_state=self.seed
        ).fit(rows)
        return lambda others: -forest.score_samples(others)
