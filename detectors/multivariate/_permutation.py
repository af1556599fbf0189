"""Sums over pairs of rows, within the two samples and across, and their exact moments when the rows are dealt anew.

For n and m rows and a kernel (or a negative distance) k: the mean of k over pairs of different rows of the first
sample, plus that of the second, less twice that across; MMD² (Gretton et al. 2012, J. Machine Learning Res. 13,
723-773, eq. 3) or minus the energy distance. Under permutation its mean is 0, and its second and third moments are
those of sum a_ij b_ij, a the kernel and b the weights of the pairs. Both are centred so that their diagonals and the
sums of their rows are 0 (Szekely and Rizzo 2013, J. Multivariate Analysis 117, 193-213), so that every sum over
several different rows comes down to three numbers of each, and no permutation has to be drawn.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from core.distribution import Floats

from ._pearson import PearsonIII


class Sums(NamedTuple):
    """Of a centred matrix: its squares, its cubes, its triangles a_ij a_jk a_ki, its squares a_ij a_jk a_kl a_li."""

    squares: float
    cubes: float
    triangles: float
    rounds: float = 0.0


class Moments(NamedTuple):
    """A statistic, its second and third moment under permutation, the first being 0, and its fourth cumulant.

    That one is the limit's for many rows, in which the statistic is a sum of squares of normal variables. Where a few
    of them outweigh the many others, as with heavy tails, the first three moments do not tell of it. `variance`: what
    the statistic's is more where the samples do differ.
    """

    statistic: float
    second: float
    third: float
    fourth: float
    variance: float


class Average(NamedTuple):
    """A mean statistic and its law without a change, with its standard `error` as it is, and the weight of the
    `largest` of the squares whose sum it is."""

    statistic: float
    law: PearsonIII
    error: float
    largest: float


def average(blocks: Iterable[Moments]) -> Average:
    """Of independent blocks of rows: one block is the quadratic form, several are the linear-time one (Zaremba, Gretton
    and Blaschko 2013, NIPS 26, 755-763)."""
    each = list(blocks)
    statistics, *others = np.array(each).T
    second, third, fourth, variance = (float(of_all.sum()) for of_all in others)
    law = PearsonIII(0.0, math.sqrt(second) / len(each), _skewness(second, third, fourth))
    error = math.sqrt(second + variance) / len(each)
    # The fourth cumulant of a sum of squares is 48 times the sum of their weights to the fourth.
    largest = float(np.mean([(block.fourth / 48) ** 0.25 for block in each])) / len(each)
    return Average(float(statistics.mean()), law, error, largest)


def _skewness(second: float, third: float, fourth: float) -> float:
    """Whichever makes the tail heavier."""
    return max(third / second**1.5, math.sqrt(fourth / second**2 / 1.5)) if second > 0 else 0.0


def contrast(similarity: Floats, n: int) -> float:
    """The statistic of a symmetric matrix of shape (n + m, n + m), the first sample's rows first."""
    m = len(similarity) - n
    diagonal = np.diagonal(similarity)
    first = similarity[:n, :n].sum() - diagonal[:n].sum()
    second = similarity[n:, n:].sum() - diagonal[n:].sum()
    across = similarity[:n, n:].sum()
    return float(first / (n * (n - 1)) + second / (m * (m - 1)) - 2 * across / (n * m))


def moments(similarity: Floats, n: int) -> Moments:
    """As `contrast`, with the moments; at least six rows in all, two of each sample. Overwrites the matrix."""
    statistic, variance = contrast(similarity, n), _variance(similarity, n)
    a, b = _of_kernel(similarity), _of_pairs(n, len(similarity) - n)
    second = _second(a, b, len(similarity))
    fourth = 12 * a.rounds / a.squares**2 * second**2 if a.squares else 0.0
    return Moments(statistic, second, _third(a, b, len(similarity)), fourth, variance)


def _variance(similarity: Floats, n: int) -> float:
    """Of the statistic's projection: each row's mean similarity to its own sample less that to the other, twice
    (Serfling 1980, Approximation Theorems of Mathematical Statistics, 5.3; 0 on average where nothing differs)."""
    own, other = similarity[:n, :n], similarity[n:, n:]
    m = len(other)
    first = (own.sum(axis=1) - np.diagonal(own)) / (n - 1) - similarity[:n, n:].mean(axis=1)
    second = (other.sum(axis=1) - np.diagonal(other)) / (m - 1) - similarity[:n, n:].mean(axis=0)
    return 4 * float(first.var(ddof=1) / n + second.var(ddof=1) / m)


def _of_kernel(a: Floats) -> Sums:
    n = len(a)
    np.fill_diagonal(a, 0.0)
    rows = a.sum(axis=1)
    a -= rows[:, None] / (n - 2)
    a -= rows[None, :] / (n - 2)
    a += rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(a, 0.0)
    paths = a @ a
    return Sums(_dot(a, a), _dot(a * a, a), _dot(paths, a), _dot(paths, paths))


def _of_pairs(n: int, m: int) -> Sums:
    """The weights of the pairs are constant within the samples and across: closed forms."""
    first, second, across = 1 / (n * (n - 1)), 1 / (m * (m - 1)), -1 / (n * m)
    inside, outside = (n * (n - 1), m * (m - 1)), 2 * n * m
    squares, cubes = (inside[0] * first**k + inside[1] * second**k + outside * across**k for k in (2, 3))
    triangles = inside[0] * (n - 2) * first**3 + inside[1] * (m - 2) * second**3
    triangles += 3 * (inside[0] * m * first + inside[1] * n * second) * across**2
    return Sums(squares, cubes, triangles)


def _second(a: Sums, b: Sums, n: int) -> float:
    """Two pairs of rows that are one, share a row, or share none: in 2, 4 and 1 ways."""
    return a.squares * b.squares * (2 / _falling(n, 2) + 4 / _falling(n, 3) + 4 / _falling(n, 4))


def _third(a: Sums, b: Sums, n: int) -> float:
    """Three pairs, by the graph they make: the ways it comes about, and its sum over different rows of a and of b."""
    return sum(
        ways * one * other / _falling(n, rows)
        for (ways, rows), one, other in zip(_GRAPHS, _graph_sums(a), _graph_sums(b), strict=True)
    )


# Ways and rows of: one pair thrice; a pair twice with one that shares a row, and with one that does not; a triangle;
# a star; a path; a path of two and a pair apart; three pairs apart.
_GRAPHS = ((4, 2), (24, 3), (6, 4), (8, 3), (8, 4), (24, 4), (12, 5), (1, 6))


def _graph_sums(a: Sums) -> tuple[float, ...]:
    """In the order of _GRAPHS. With row sums of 0, what runs over all rows but some is minus the sum over these."""
    h, t = a.cubes, a.triangles
    return (h, -h, 2 * h, t, 2 * h, h - t, 2 * t - 4 * h, 16 * h - 8 * t)


def _dot(a: Floats, b: Floats) -> float:
    return float(np.einsum("ij,ij->", a, b))


def _falling(n: int, k: int) -> int:
    return math.perm(n, k)
