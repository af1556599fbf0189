"""Thresholds from a reference's own history: how far its blocks differ from it when nothing is wrong.

A detector's law takes rows for independent draws. Those of traffic come in bursts, and one day is not like the next.
So the reference is cut into blocks like the monitor's windows, and each is compared with the reference as a window is.
The scores of all fields are put on one scale, heights: minus the logarithm of a p-value. The blocks then say

- how many times higher a field gets than its law says: its inflation (as in genomic control, Devlin and Roeder 1999,
  Biometrics 55, 997-1004). What of it is no sampling noise does not shrink with more rows, so it grows with them;
- how surprising the highest of all fields gets, which is what an alarm hangs on (max-T, Westfall and Young 1993,
  Resampling-Based Multiple Testing). A block's height is over the inflation that the *other* blocks show, as a
  window's is, and its surprise is what Student's law makes of that: an inflation known from few blocks is unsure;
- the largest score that is no sampling noise: up to it, a window differs no more than the reference's own blocks do.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np

from core.distribution import Distribution, Floats
from core.findings import Score

# Blocks it takes to tell an inflation: with 20, a t variable's 1 in 1000 lies 1.2 times as far out as a normal one's.
FEWEST_BLOCKS = 20

# Heights are anchored at the score whose p-value this is. Nearer ones would be the law's body, farther ones would be
# out of reach for small samples.
_ANCHOR = 1e-3
_ANCHOR_HEIGHT = -math.log(_ANCHOR)

# A law's mean height is taken over these quantiles.
_QUANTILES = (0.9, 0.7, 0.5, 0.3, 0.1)

# Surprises beyond it are all the same: exp(-600) is still a number.
_FARTHEST = 600.0

OUT_OF_REACH = "no change would fire: the reference's blocks differ too much, or are too few for so rare alarms"

K = TypeVar("K", bound=Hashable)
Compare = Callable[[Distribution, Distribution, float], Score]


class Shape(NamedTuple):
    """A law's tail: scores grow as height ** (1 / exponent). Its heights are `mean` on average."""

    exponent: float
    mean: float


class Tail(NamedTuple):
    """A block beside the rest of the reference; `rows` are n m / (n + m), the weight of their squared difference."""

    height: float
    score: float
    rows: float


class Margin(NamedTuple):
    """What `blocks` blocks add to a field's law. `rows`: theirs, as in `Tail`. No score up to `gate` fires."""

    shape: Shape
    blocks: int
    inflation: float
    rows: float
    gate: float


@dataclass(frozen=True)
class Calibration:
    """From `blocks` blocks. `highest`: the surprise of the highest field in each, empty for too few of them."""

    blocks: int
    highest: Floats
    margins: Mapping[Hashable, Margin]


class Level(NamedTuple):
    """`alpha`: the probability of a false alarm of one comparison by the law. `surprise`: what history says instead."""

    alpha: float
    surprise: float


class Sides(NamedTuple):
    reference: Distribution
    window: Distribution

    @property
    def rows(self) -> float:
        n, m = self.reference.effective_rows, self.window.effective_rows
        return n * m / (n + m)


def decide(compare: Compare, sides: Sides, margin: Margin, level: Level) -> Score:
    """The Score of `compare`, its threshold the highest of three: the law's with the field's inflation, that of the
    highest field in the blocks, and the gate. A threshold of the user's stays. What was detectable rises with it.
    """
    score, anchor = compare(*sides, level.alpha), compare(*sides, _ANCHOR)
    if score.threshold is None or anchor.threshold is None or score.p_value is None:
        return score
    inflation = 1 + (margin.inflation - 1) * sides.rows / margin.rows
    height = height_of(level.surprise, margin) * inflation
    law = score.threshold * inflation ** (1 / margin.shape.exponent)
    history = anchor.threshold * (height / _ANCHOR_HEIGHT) ** (1 / margin.shape.exponent)
    threshold = max(law, history, margin.gate)
    if threshold == score.threshold:
        return score
    shown = _detectable(compare, sides, level.alpha, (score.threshold / threshold) ** margin.shape.exponent)
    reason = score.reason if shown is not None or score.detectable is None else OUT_OF_REACH
    return replace(score, threshold=threshold, detectable=shown, reason=reason)


def _detectable(compare: Compare, sides: Sides, alpha: float, rows: float) -> float | None:
    """As if there were only so much of the rows: that makes the law's threshold as high as the raised one, about."""
    return compare(_resized(sides.reference, rows), _resized(sides.window, rows), alpha).detectable


def _resized(side: Distribution, rows: float) -> Distribution:
    """As many times the effective rows, all else unchanged."""
    return replace(
        side,
        effective_rows=side.effective_rows * rows,
        squares=None if side.squares is None else side.squares / rows,
    )


def critical(highest: Floats, alpha: float) -> float:
    """The surprise that the next block's highest field exceeds with a probability of alpha at most.

    By rank, where there are blocks enough: exact if blocks are exchangeable (Vovk et al. 2005, Algorithmic Learning in
    a Random World). Else from the tail of the highest quarter, taken for exponential, as it is where fields vary
    normally from block to block: X exceeds c times the sum of m others with the probability (1 + c) ** -m, their scale
    unknown.
    """
    descending = np.sort(highest)[::-1]
    if rank := int(alpha * (len(descending) + 1) * (1 + 1e-9)):
        return float(descending[rank - 1])
    m = max(len(descending) // 4, 1)
    start, excess = descending[m], float((descending[:m] - descending[m]).sum())
    chance = alpha * (len(descending) + 1) / (m + 1)
    return float(start + excess * (chance ** (-1 / m) - 1))


def calibrate(tails: Mapping[K, Sequence[Tail | None]], shapes: Mapping[K, Shape]) -> Calibration:
    """From what each field's blocks showed, in the same order for all fields; None where a block lacks the field."""
    count = max((sum(block is not None for block in blocks) for blocks in tails.values()), default=0)
    margins: dict[Hashable, Margin] = {}
    standard: list[Floats] = []
    for key, blocks in tails.items():
        known = [block for block in blocks if block]
        if len(known) < FEWEST_BLOCKS:
            continue
        heights = np.array([block.height if block else np.nan for block in blocks])
        total = np.nansum(heights)
        others = (total - heights) / (len(known) - 1)
        standard.append(_surprise(heights / np.maximum(others, shapes[key].mean), len(known)))
        inflation = max(float(total) / len(known) / shapes[key].mean, 1.0)
        gate = max(block.score for block in known) * (1 - 1 / inflation)
        margins[key] = Margin(shapes[key], len(known), inflation, float(np.mean([block.rows for block in known])), gate)
    if not standard:
        return Calibration(count, np.empty(0), {})
    table = np.array(standard)
    return Calibration(count, np.nanmax(table[:, ~np.isnan(table).all(axis=0)], axis=0), margins)


def _surprise(ratios: Floats, blocks: int) -> Floats:
    """Minus the logarithm of the chance of a height so many times the mean of the others, were they a normal variable
    squared: Student's."""
    from scipy.special import stdtr

    surprise: Floats = -np.log(np.maximum(2 * stdtr(blocks - 1, -np.sqrt(ratios)), math.exp(-_FARTHEST)))
    return surprise


def height_of(surprise: float, margin: Margin) -> float:
    from scipy.special import stdtrit

    chance = math.exp(-min(surprise, _FARTHEST))
    return float(stdtrit(margin.blocks - 1, chance / 2)) ** 2 * margin.shape.mean


def shape(compare: Compare, whole: Distribution, block: Distribution) -> Shape | None:
    """Of the detector's law for this field; None where it has none (a threshold of the user's, nothing to decide)."""
    anchor = compare(whole, block, _ANCHOR)
    if anchor.p_value is None or not anchor.threshold:
        return None
    exponent = _exponent(compare, whole)
    law = [compare(whole, block, alpha).threshold or 0.0 for alpha in _QUANTILES]
    return Shape(exponent, float(np.mean([_height(score, anchor.threshold, exponent) for score in law])))


def _exponent(compare: Compare, whole: Distribution) -> float:
    """2 for scores that are differences, as D is, 1 for squared ones, as PSI is: told by how thresholds fall when rows
    are four times as many. (Normal variables squared have exponential tails, so heights of both have.)"""
    one, other = (compare(rows, rows, _ANCHOR).threshold for rows in (whole, _resized(whole, 4)))
    return 2.0 if one and other and 1.6 < one / other < 2.6 else 1.0


def tail(compare: Compare, whole: Distribution, block: Distribution, shape: Shape) -> Tail | None:
    """None where nothing can be decided, or where the block is most of the whole.

    The block is in the whole. With its share f, whole and block differ by 1 - f of what block and rest do, and the law
    weighs that with m / (1 + f) for m (1 - f): heights, which are of squares, rise by (1 + f) / (1 - f).
    """
    found, part = compare(whole, block, _ANCHOR), block.effective_rows / whole.effective_rows
    if found.score is None or not found.threshold or part > 0.5:
        return None
    height = _height(found.score, found.threshold, shape.exponent) * (1 + part) / (1 - part)
    score = found.score * (1 - part) ** (-2 / shape.exponent)
    return Tail(height, score, block.effective_rows * (1 - part))


def _height(score: float, threshold: float, exponent: float) -> float:
    return float(_ANCHOR_HEIGHT * (score / threshold) ** exponent)
