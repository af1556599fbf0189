"""Two samples compared by a similarity of their rows that depends on the distance: MMD and the energy distance."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.distribution import Floats
from core.findings import Score
from detectors._intervals import NORMAL_95
from detectors._power import of_quadratic
from detectors.protocols import Indices, JointScore

from ._columns import Samples, nothing, sampled, shares, standardised
from ._permutation import Average, average, contrast, moments

Similarity = Callable[[Floats], Floats]
"""Squared distances to similarities, of the same shape."""

_FEWEST_IN_BLOCK = 20  # rows of each sample
# To see what is lost without each field: rows at once, and pairs of rows times fields in all (about a second).
_SMALL_BLOCK = 200
_MOST_PAIRS = 10**8
_ROUNDING = 1e-9  # squared distances below it are between equal rows


class Block(NamedTuple):
    """Rows of both samples, the reference's `n` first."""

    rows: Floats
    n: int


@dataclass(frozen=True)
class Kernel:
    """`similarity` makes one from the squared distances of a block; rows, block_rows and seed as in `MMD`."""

    similarity: Callable[[Floats], Similarity]
    rows: int
    block_rows: int
    seed: int

    def judge(self, rows: tuple[Floats, Floats], alpha: float, fields: Indices | None) -> JointScore:
        """The statistic of rows = (reference, window), and which fields it comes from when it fires."""
        kept = sampled(rows, fields, self.rows, self.seed)
        if isinstance(kept, str):
            return nothing(rows[0], fields, kept)
        samples = standardised(kept)
        dealt = blocks(samples, self.block_rows)
        similarity = self.similarity(distances(dealt[0].rows))
        found = average(moments(similarity(distances(block.rows)), block.n) for block in dealt)
        none = nothing(rows[0], fields, "every row is as far from any other")
        if not found.law.deviation > 0:
            return none
        verdict = _verdict(found, alpha)
        if not verdict.fired:
            return JointScore(verdict, none.contributions, found.law.curve)
        lost = none.contributions.copy()
        lost[: samples.number_of_fields] = lost_without(samples, similarity)
        return JointScore(verdict, shares(lost), found.law.curve)


def _verdict(found: Average, alpha: float) -> Score:
    """The statistic is its own effect: without bias, whatever the numbers of rows."""
    size, law, wide = found.statistic, found.law, NORMAL_95 * found.error
    threshold = law.critical_value(alpha)
    shown = of_quadratic(threshold, 0.0, law.deviation, found.largest)
    return Score(size, threshold, law.p_value(size), size, "", (size - wide, size + wide), shown)


def blocks(samples: Samples, block_rows: int) -> list[Block]:
    """All rows in blocks of about so many, with as many more of one sample as it has more in all."""
    n, m = len(samples.reference), len(samples.window)
    count = max(1, min(math.ceil((n + m) / block_rows), min(n, m) // _FEWEST_IN_BLOCK))
    dealt = zip(np.array_split(samples.reference, count), np.array_split(samples.window, count), strict=True)
    return [Block(np.vstack(both), len(both[0])) for both in dealt]


def distances(rows: Floats) -> Floats:
    """Squared Euclidean distances, shape (rows, rows)."""
    norms = np.einsum("ij,ij->i", rows, rows)
    squared: Floats = norms[:, None] + norms[None, :] - 2 * (rows @ rows.T)
    squared[squared < _ROUNDING] = 0.0
    return squared


def lost_without(samples: Samples, similarity: Similarity) -> Floats:
    """By how much the statistic falls when a field is left out, shape (fields,): what lies between two fields counts
    for both, since it is gone without either."""
    fields = samples.number_of_fields
    most_rows = max(_SMALL_BLOCK, _MOST_PAIRS // (_SMALL_BLOCK * fields))
    half = most_rows // 2
    fewer = Samples(samples.reference[:half], samples.window[:half], samples.fields)
    small = blocks(fewer, _SMALL_BLOCK)
    falls = np.array([list(_falls(block, samples.fields, similarity)) for block in small])
    lost: Floats = falls.mean(axis=0)
    return lost


def _falls(block: Block, fields: Indices, similarity: Similarity) -> Iterator[float]:
    squared = distances(block.rows)
    whole = contrast(similarity(squared), block.n)
    for field in range(int(fields.max()) + 1):
        without = squared - distances(block.rows[:, fields == field])
        yield whole - contrast(similarity(np.maximum(without, 0.0)), block.n)
