"""The decision rules of Evidently 0.7 and alibi-detect 0.12 with their default settings, as functions of counts.

Evidently (`DataDriftPreset`): a number drifts when KS has p < 0.05 for references of up to 1,000 rows, and for larger
ones when Wasserstein's distance over the reference's standard deviation is 0.1 or more; a category by chi-squared, and
by a Jensen-Shannon distance (in nats) of 0.1. A data set drifts when half of its columns do.
alibi-detect (`TabularDrift`): KS or chi-squared with p < 0.05 / fields (Bonferroni) in any field.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from core.distribution import Distribution
from detectors.univariate._kolmogorov import p_value
from detectors.univariate.chi_squared import ChiSquared
from detectors.univariate.jensen_shannon import JensenShannon
from detectors.univariate.ks import largest_difference

_SMALL_REFERENCE = 1000
_P, _DISTANCE = 0.05, 0.1


class Verdict(NamedTuple):
    """`highest`: the score of the highest column, higher is more; for equal false-alarm rates."""

    evidently_column: bool
    evidently_set: bool
    alibi: bool
    evidently_highest: float
    alibi_highest: float


def judge(reference: Sequence[Distribution], window: Sequence[Distribution], fields: int) -> Verdict:
    """Of `fields` fields, those given (the ones that differ most)."""
    pairs = list(zip(reference, window, strict=True))
    tests = [tested(*pair) for pair in pairs]
    highest = max(_height(*test) for test in tests)
    if reference[0].total <= _SMALL_REFERENCE:
        drifted, evidently_highest = [test.p_value < _P for test in tests], highest
    else:
        distances = [distance(*pair) for pair in pairs]
        drifted, evidently_highest = [d >= _DISTANCE for d in distances], max(distances)
    fired = any(test.p_value < _P / fields for test in tests)
    return Verdict(any(drifted), sum(drifted) >= fields / 2, fired, evidently_highest, highest)


class _Test(NamedTuple):
    score: float
    p_value: float


def tested(reference: Distribution, window: Distribution) -> _Test:
    """KS of numbers, chi-squared of categories."""
    if reference.kind == "num":
        d = largest_difference(reference, window)
        return _Test(d, _ks_p_value(round(d, 12), reference.total, window.total))
    found = ChiSquared().compare(reference, window, _P)
    return _Test(found.score or 0.0, 1.0 if found.p_value is None else found.p_value)


_ks_p_value = lru_cache(maxsize=100_000)(p_value)  # of 50 rows there are few


def _height(score: float, p: float) -> float:
    """Orders as the p-value does, and by the score where that is too small for a number."""
    return -np.log(p) if p > 1e-290 else 700.0 + score


def distance(reference: Distribution, window: Distribution) -> float:
    """Normed Wasserstein distance of numbers, Jensen-Shannon distance of categories."""
    if reference.kind == "cat":
        return float(JensenShannon().compare(reference, window, _P).score or 0.0) * float(np.sqrt(np.log(2)))
    both = np.concatenate([reference.values, window.values])
    both.sort()
    heights = [side.heights[np.searchsorted(side.values, both[:-1], "right")] for side in (reference, window)]
    differ = np.abs(heights[0] / reference.heights[-1] - heights[1] / window.heights[-1])
    return float(differ @ np.diff(both)) / max(reference.deviation, 0.001)
