"""Rows of both samples in columns between which distances make sense."""

from typing import NamedTuple

import numpy as np

from core.distribution import Floats
from core.findings import Score
from detectors.protocols import Bools, Indices, JointScore

FEWEST_ROWS = 10
# More of the larger sample tell little: the smaller one's noise is what counts.
_MOST_TIMES = 20
# Beyond this many deviations more makes no difference: one row must not outweigh all others.
_FARTHEST = 10.0
_LARGEST, _SMALLEST = 1e150, 1e-150  # their squares are numbers still


class Samples(NamedTuple):
    """Both of shape (rows, columns), in random order; `fields`, shape (columns,): the field of each column."""

    reference: Floats
    window: Floats
    fields: Indices

    @property
    def number_of_fields(self) -> int:
        return int(self.fields.max(initial=-1)) + 1


def sampled(
    rows: tuple[Floats, Floats], fields: Indices | None, most_rows: int, seed: int, fewest: int = FEWEST_ROWS
) -> Samples | str:
    """At most `most_rows` of rows = (reference, window), infinities as very large numbers; or why there is nothing to
    compare."""
    for side, name in zip(rows, ("reference", "window"), strict=True):
        if len(side) < fewest:
            return f"the {name} has {len(side)} rows, fewer than the {fewest} needed"
    limit = min(most_rows, _MOST_TIMES * min(map(len, rows)))
    chosen = [np.random.default_rng(seed).permutation(len(side))[:limit] for side in rows]
    one, other = (_squarable(side[at]) for side, at in zip(rows, chosen, strict=True))
    if not varies(np.vstack([one, other])).any():
        return "every field is constant or missing, the same in reference and window"
    return Samples(one, other, np.arange(rows[0].shape[1]) if fields is None else fields)


def standardised(samples: Samples) -> Samples:
    """Each column centred and scaled, and beside one with missing values, which become its median, a column of where
    they are: a change of that counts like one of the values. Columns without any variation are left out.

    Scaled by half of what lies between the 16th and the 84th percentile, a standard deviation that no outlier moves;
    where that is 0 by the standard deviation. Of both samples together, so that neither is treated otherwise: the
    scale of one alone would fit it better than the other, and permutations do not hold then.
    """
    both = np.vstack([samples.reference, samples.window])
    gaps = np.isnan(both)
    values = np.column_stack([_scaled(_filled(column, gap)) for column, gap in zip(both.T, gaps.T, strict=True)])
    where = np.column_stack([_scaled(gap.astype(np.float64)) for gap in gaps.T])
    columns, fields = np.hstack([values, where]), np.tile(samples.fields, 2)
    varied = columns.any(axis=0)
    first, second = np.split(columns[:, varied], [len(samples.reference)])
    return Samples(first, second, fields[varied])


def varies(rows: Floats) -> Bools:
    """Which columns hold more than one value, missing being one; shape (columns,)."""
    first = rows[:1]
    same: Bools = ((rows == first) | (np.isnan(rows) & np.isnan(first))).all(axis=0)
    return ~same


def nothing(reference: Floats, fields: Indices | None, reason: str) -> JointScore:
    """The score where nothing can be decided."""
    count = reference.shape[1] if fields is None else int(fields.max(initial=-1)) + 1
    return JointScore(Score(None, None, reason=reason), np.zeros(count))


def shares(lost: Floats) -> Floats:
    """What counts for each field as shares of all, those below 0 as nothing."""
    positive = np.maximum(lost, 0.0)
    total = float(positive.sum())
    return positive / total if total > 0 else np.zeros(len(lost))


def _squarable(rows: Floats) -> Floats:
    """Without numbers whose square is none, or 0 though they are not."""
    clipped = np.clip(rows, -_LARGEST, _LARGEST)
    return np.where(np.abs(clipped) < _SMALLEST, 0.0, clipped)


def _filled(column: Floats, gap: Bools) -> Floats:
    return np.where(gap, np.median(column[~gap]) if not gap.all() else 0.0, column)


def _scaled(column: Floats) -> Floats:
    low, high = np.percentile(column, [16, 84])
    scale = (high - low) / 2 or float(column.std())
    if column.min() == column.max() or not scale > 0:
        return np.zeros(len(column))
    return np.clip((column - np.median(column)) / scale, -_FARTHEST, _FARTHEST)
