"""Two distributions of numbers on the values of both: exactly, and in cells where laws are computed."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.distribution import Distribution, Floats, summed

from ._bins import Counts
from ._design import effects

# Ranks of the cells' ends, from either end: 1, 2, 3, … and from there on each so much further in than the one before.
_RATIO = 1.2
_BLOCK = 2**15

Indices = NDArray[np.int64]


class Curves(NamedTuple):
    """The two cumulative distributions f and g, shape (k + 1,): before the first of the k ascending values of both, and
    up to each of them. `n` and `m` are the effective rows of reference and window.
    """

    values: Floats
    f: Floats
    g: Floats
    n: float
    m: float

    def gaps(self) -> "Iterator[tuple[Floats, Floats]]":
        """From each value to the next: the difference of the curves there, and how far it is; some at a time."""
        for start in range(0, len(self.values) - 1, _BLOCK):
            end = min(start + _BLOCK, len(self.values) - 1)
            between = slice(start + 1, end + 1)
            yield self.f[between] - self.g[between], np.diff(self.values[start : end + 1])

    @property
    def difference(self) -> Floats:
        return self.f - self.g

    def blocks(self) -> "Iterator[Curves]":
        """Some of the values at a time, so many as a processor's cache holds."""
        for start in range(0, len(self.values), _BLOCK):
            part = slice(start, start + _BLOCK + 1)
            yield self._replace(values=self.values[start : start + _BLOCK], f=self.f[part], g=self.g[part])

    @property
    def pooled(self) -> Floats:
        """The cumulative distribution of both together, as far as their effective rows go."""
        return (self.n * self.f + self.m * self.g) / (self.n + self.m)

    @property
    def harmonic_rows(self) -> float:
        return self.n * self.m / (self.n + self.m)


def curves(reference: Distribution, window: Distribution) -> Curves:
    """Missing, if there is any, is a value before all others (-inf among `values`)."""
    if not reference.missing + window.missing:
        return known_curves(reference, window)
    known = known_curves(reference, window)
    f, g = _lifted(reference, known.f), _lifted(window, known.g)
    return Curves(np.append(-np.inf, known.values), f, g, reference.effective_rows, window.effective_rows)


def _lifted(side: Distribution, curve: Floats) -> Floats:
    gone = side.missing / side.total
    return np.append(0.0, gone + curve * (1 - gone))


def known_curves(reference: Distribution, window: Distribution) -> Curves:
    """Without the missing; the rows are those that have a value."""
    both = np.concatenate([reference.values, window.values])
    order = np.argsort(both, kind="stable")  # merges the two ascending runs
    values, first = both[order], (order < len(reference.values)).astype(np.int64)
    ends = np.append(values[1:] != values[:-1], True) if len(values) else np.zeros(0, bool)
    at = np.cumsum(first)
    upto = np.arange(1, len(values) + 1) - at
    if not ends.all():
        values, at, upto = values[ends], at[ends], upto[ends]
    f, g = _shares_upto(reference, at), _shares_upto(window, upto)
    return Curves(values, f, g, known_rows(reference), known_rows(window))


def _shares_upto(side: Distribution, at: Indices) -> Floats:
    """Of the rows that have a value, those with the first `at` values; 0 comes first."""
    shares, even = np.zeros(len(at) + 1), len(side.counts) and side.counts.strides == (0,)
    if even:
        np.divide(at, len(side.counts), out=shares[1:])
    elif len(side.counts):
        np.divide(side.heights[at], side.heights[-1], out=shares[1:])
    return shares


def known_rows(side: Distribution) -> float:
    """Effective rows that have a value: (sum w)² / sum w² of these."""
    known = float(side.heights[-1]) / side.total if len(side.values) else 0.0
    if side.squares is None:
        return side.effective_rows * known
    variance = float(side.variances[0].sum())
    return known**2 / variance if variance else 0.0


class Cells(NamedTuple):
    """Both distributions in cells of neighbouring values, few of them and fine at both ends, where each value has its
    own.

    `ends`: the highest value of each, shape (g,), -inf for missing. `shares`: of the rows of both. `variances`: summed
    squares of the shares that each cell's rows have of their own side, of the reference's and of the window's together;
    for even weights shares * (1 / n + 1 / m).
    """

    ends: Floats
    shares: Floats
    variances: Floats

    @property
    def middles(self) -> Floats:
        """Share of the rows before each cell and in half of it."""
        return np.cumsum(self.shares) - self.shares / 2

    def covariance(self) -> Floats:
        """Of the differences of the cells' shares when nothing has changed, (g, g)."""
        spread = (np.eye(len(self.shares)) - self.shares[:, None]) * np.sqrt(self.variances)
        covariance: Floats = spread @ spread.T
        return covariance


def cells(reference: Distribution, window: Distribution, missing: bool = True) -> Cells:
    """`missing` = False leaves missing rows out."""
    ends = np.unique(np.concatenate([_ends(reference.values), _ends(window.values)]))
    ends = np.append(-np.inf, ends) if missing else ends
    sides = [_side(side, ends, missing) for side in (reference, window)]
    used = (sides[0][0] + sides[1][0]) > 0
    columns = [column[used] for side in zip(*sides, strict=True) for column in side]
    counts = Counts(*columns)
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    shares = (counts.reference + counts.window) / (n + m)
    return Cells(ends[used], shares, effects(counts) * shares * (1 / n + 1 / m))


def _ends(values: Floats) -> Floats:
    """Values at ranks that lie the further apart the further in they are."""
    steps = int(np.log(max(len(values), 1) / 2 + 1) / np.log(_RATIO)) + 2
    ranks = np.unique((_RATIO ** np.arange(steps)).astype(np.int64)) - 1
    ranks = ranks[ranks <= len(values) // 2]
    return values[np.union1d(ranks, len(values) - 1 - ranks)] if len(values) else values


def _side(side: Distribution, ends: Floats, missing: bool) -> tuple[Floats, Floats]:
    """Effective rows in each cell, and their summed squared shares of all."""
    at = np.append(0, np.searchsorted(side.values, ends[int(missing) :], "right"))
    counts, scale = np.diff(side.heights[at]), side.total * side.effective_rows
    if side.squares is None:
        variances, gone = counts / scale, side.missing / scale
    else:
        known, gone = side.variances
        variances = np.diff(summed(known)[at])
    if missing:
        counts, variances = np.append(side.missing, counts), np.append(gone, variances)
        return counts * (side.effective_rows / side.total), variances
    rows, part = known_rows(side), side.heights[-1] / side.total
    return counts * (rows / side.heights[-1]), variances / part**2
