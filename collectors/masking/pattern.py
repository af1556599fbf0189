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


@dataclass(frozen=True, eq=False)
class Replaced:
    options: pc.ReplaceSubstringOptions
    longest: int
    numeric: bool = False

    def texts(self, values: Texts) -> Texts:
        too_long = [value is not None and len(value) > self.longest for value in values]
        if True in too_long:
            raise Unmaskable(f"a text is longer than {self.longest} characters (longest)", np.array(too_long))
        found = pc.call_function("replace_substring_regex", [pa.array(values, pa.string())], self.options)
        masked: Texts = found.to_pylist()
        return masked

    def numbers(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError("a number in which text was replaced is a category")


def make(do: Do, key: bytes) -> Replaced:
    assert isinstance(do, Pattern)
    return Replaced(pc.ReplaceSubstringOptions(do.pattern, do.with_), do.longest)
