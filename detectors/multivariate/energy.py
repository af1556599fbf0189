"""The energy distance of whole rows."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from core.distribution import Floats
from detectors.protocols import Indices, JointScore

from ._kernel import Kernel


@dataclass(frozen=True)
class Energy:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| over rows X of the reference and Y of the window, without bias: below 0 by
    chance where nothing has changed (Szekely and Rizzo 2004, InterStat 5; 2013, J. Stat. Planning Inference 143,
    1249-1272). It needs no bandwidth, and sees shifts of the mean best. The statistic is the effect.

    rows, block_rows, seed: as in `MMD`.

    >>> rng = np.random.default_rng(1)
    >>> reference, window = rng.normal(size=(500, 4)), rng.normal(size=(300, 4))
    >>> Energy().compare_rows(reference, window + 0.5, alpha=0.001).verdict.fired
    True
    """

    rows: Annotated[int, Field(ge=10)] = 10_000
    block_rows: Annotated[int, Field(ge=50, le=5000)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0
    heavy: ClassVar[bool] = False

    def compare_rows(
        self, reference: Floats, window: Floats, alpha: float, fields: Indices | None = None
    ) -> JointScore:
        kernel = Kernel(lambda _: lambda of: -np.sqrt(of), self.rows, self.block_rows, self.seed)
        return kernel.judge((reference, window), alpha, fields)
