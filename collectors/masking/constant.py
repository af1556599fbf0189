"""`constant`: every value that is there becomes the same one; a number among texts is its category."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.building.fields import number_text
from collectors.masking.action import Texts
from core.config.masking import Constant, Do


@dataclass(frozen=True, eq=False)
class Same:
    value: str | float

    @property
    def numeric(self) -> bool:
        return not isinstance(self.value, str)

    def texts(self, values: Texts) -> Texts:
        text = self.value if isinstance(self.value, str) else number_text(self.value)
        return [None if value is None else text for value in values]

    def numbers(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(np.isnan(values), np.nan, np.float64(self.value))


def make(do: Do, key: bytes) -> Same:
    assert isinstance(do, Constant)
    return Same(do.constant)
