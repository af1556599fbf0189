"""`drop`: the value is missing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.masking.action import Texts
from core.config.masking import Do


@dataclass(frozen=True, eq=False)
class Drop:
    numeric: bool = True

    def texts(self, values: Texts) -> Texts:
        return [None] * len(values)

    def numbers(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(values.shape, np.nan)


def make(do: Do, key: bytes) -> Drop:
    return Drop()
