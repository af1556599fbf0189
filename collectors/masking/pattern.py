"""`pattern`: what a regular expression matches is replaced; numbers are masked as text.

RE2 has no catastrophic backtracking: a text of n characters takes time proportional to n. Longer texts than the rule's
`longest` stop their event all the same, so that one event costs milliseconds at most.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collectors.masking.action import Texts, Unmaskable
from core.config.masking import Do, Pattern


@dataclass(frozen=True)
class Replaced:
    expression: str
    replacement: str
    longest: int
    numeric: bool = False

    def texts(self, values: Texts) -> Texts:
        too_long = np.array([value is not None and len(value) > self.longest for value in values], np.bool_)
        if too_long.any():
            raise Unmaskable(f"a text is longer than {self.longest} characters (longest)", too_long)
        found = pc.replace_substring_regex(
            pa.array(values, pa.string()), pattern=self.expression, replacement=self.replacement
        )
        masked: Texts = found.to_pylist()
        return masked

    def numbers(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError("a number in which text was replaced is a category")


def make(do: Do, key: bytes) -> Replaced:
    assert isinstance(do, Pattern)
    return Replaced(do.pattern, do.with_, do.longest)
