"""Outliers by Mahalanobis distance."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from core.distribution import Floats
from detectors.protocols import Bools, RowScores

from ._conformal import Conformal, Measure


@dataclass(frozen=True)
class Mahalanobis:
    """Distance from the centre in standard deviations, along the correlations of the fields (Mahalanobis 1936).

    contamination: share of rows like the reference's that may be called outliers, above 0 and up to 0.5.
    shrinkage: 0..1, weight of the identity in the correlation matrix (Ledoit and Wolf 2004, J. Multivariate Analysis
        88, 365-411), above 0 so that collinear fields can be inverted: the condition number is at most fields / it.
    seed: of the split of the reference, see `_conformal.py`.

    >>> rng = np.random.default_rng(1)
    >>> reference, window = rng.normal(size=(1000, 3)), rng.normal(size=(200, 3))
    >>> window[:20] += 10
    >>> found = Mahalanobis().score(reference, window, alpha=0.05)
    >>> found.verdict.fired, int((found.scores[:20] > found.threshold).sum())
    (True, 20)
    """

    contamination: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    shrinkage: Annotated[float, Field(gt=0, le=1)] = 0.01
    seed: Annotated[int, Field(ge=0)] = 0
    heavy: ClassVar[bool] = False

    def score(self, reference: Floats, window: Floats, alpha: float, counted: Bools | None = None) -> RowScores:
        return Conformal(self.contamination, self.seed).judge(self._fit, (reference, window), alpha, counted)

    def _fit(self, rows: Floats) -> Measure:
        centre = rows.mean(axis=0)
        away = rows - centre
        correlation = away.T @ away / len(rows)
        shrunk = (1 - self.shrinkage) * correlation + self.shrinkage * np.eye(rows.shape[1])
        root = np.linalg.inv(np.linalg.cholesky(shrunk))
        return lambda others: np.sqrt((((others - centre) @ root.T) ** 2).sum(axis=1))
