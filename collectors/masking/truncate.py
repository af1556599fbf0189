"""`truncate`: the first n characters of a text; of a number its n leading digits, the others become 0."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from collectors.masking.action import Texts
from core.config.masking import Do, Truncate

FEW = 100  # below it looking for equal numbers costs more than they do
MOST_DIGITS = 15  # that float64 tells apart whatever the number (IEEE 754)


@dataclass(frozen=True, eq=False)
class Beginning:
    length: int
    numeric: bool = True

    def texts(self, values: Texts) -> Texts:
        return [None if value is None else value[: self.length] for value in values]

    def numbers(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Towards zero: 1987.5 is 1900 with two digits, 0.0456 is 0.045. Zero, infinities and NaN stay."""
        if self.length >= MOST_DIGITS:
            return values
        cut: NDArray[np.float64] = _cut(values.ravel(), self.length).reshape(values.shape)
        return cut


def make(do: Do, key: bytes) -> Beginning:
    assert isinstance(do, Truncate)
    return Beginning(do.truncate)


def _cut(values: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Through the decimal text of each distinct number: arithmetic would make 0.2 of the first digit of 0.3."""
    if len(values) <= FEW:
        return np.array([_leading(value, digits) for value in values.tolist()], np.float64)
    distinct, where = np.unique(values, return_inverse=True)
    kept: NDArray[np.float64] = np.array([_leading(value, digits) for value in distinct.tolist()], np.float64)
    whole: NDArray[np.float64] = kept[where.ravel()]
    return whole


def _leading(value: float, digits: int) -> float:
    if not isfinite(value):
        return value
    mantissa, _, power = f"{value:.{MOST_DIGITS - 1}e}".partition("e")
    shown = digits + (digits > 1) + (value < 0)  # with the point and the sign
    return float(f"{mantissa[:shown]}e{power}")
