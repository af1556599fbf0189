"""The maximum mean discrepancy."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from core.distribution import Floats
from detectors.protocols import Indices, JointScore

from ._kernel import Kernel, Similarity


@dataclass(frozen=True)
class MMD:
    """How far apart the means of two samples are in the space of an RBF kernel exp(-|x - y|² / 2 sigma²), squared and
    without bias: below 0 by chance where nothing has changed (Gretton et al. 2012, J. Machine Learning Res. 13,
    723-773).

    sigma: above 0; without it the median distance of two rows (the paper's section 8).
    rows: most rows of each sample, the others are left out, 10 and up. block_rows: up to so many rows of both
        together the quadratic form; beyond, its mean over blocks of that size, whose time is linear (Zaremba, Gretton
        and Blaschko 2013, NIPS 26). The paper's own linear-time form is that of blocks of four rows, whose
        threshold is 16 times that of blocks of 1000.
    seed: of the order in which rows are dealt to blocks.

    The statistic is the effect.

    Columns, missing values and their scale: `_columns.py`. p-value: from the exact moments under permutation,
    `_permutation.py`.

    >>> rng = np.random.default_rng(1)
    >>> reference = rng.normal(size=(500, 2))
    >>> window = reference @ np.array([[1, 0.6], [0, 0.8]])  # each field is as it was, but they go together now
    >>> MMD().compare_rows(reference, window, alpha=0.001).verdict.fired
    True
    """

    sigma: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    rows: Annotated[int, Field(ge=10)] = 10_000
    block_rows: Annotated[int, Field(ge=50, le=5000)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0
    heavy: ClassVar[bool] = False

    def compare_rows(
        self, reference: Floats, window: Floats, alpha: float, fields: Indices | None = None
    ) -> JointScore:
        return Kernel(self._rbf, self.rows, self.block_rows, self.seed).judge((reference, window), alpha, fields)

    def _rbf(self, squared: Floats) -> Similarity:
        apart = squared[squared > 0]
        sigma = self.sigma or (float(np.sqrt(np.median(apart))) if len(apart) else 1.0)
        return lambda of: np.exp(of / (-2 * sigma**2))
