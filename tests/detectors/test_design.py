from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.distribution import Distribution
from detectors.univariate._bins import by_value
from detectors.univariate._design import Law, chi_squared_law, curve_effect

WEIGHTS = np.where(np.arange(3000) < 2000, 1.0, 20.0)  # of values that rise with the row


def rows(values, weights):
    return Distribution.of_numbers(np.asarray(values, dtype=float), np.asarray(weights, dtype=float))


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0, np.nan]), st.floats(0.01, 100)), min_size=1))
def test_variances_add_up_to_one_over_the_effective_rows(drawn):
    values, weights = np.array(drawn).T
    known, missing = rows(values, weights).variances
    assert known.sum() + missing == pytest.approx(1 / rows(values, weights).effective_rows)
    even = rows(values, np.full(len(values), 3.0))
    assert even.variances[0] == pytest.approx(replace(even, squares=None).variances[0])


def test_even_weights_have_the_plain_laws():
    reference, window = rows(np.arange(400) % 7, np.full(400, 5.0)), rows(np.arange(100) % 7, np.full(100, 2.0))
    assert chi_squared_law(by_value(reference, window)) == pytest.approx((6, 6, 6))
    assert curve_effect(reference, window) == pytest.approx(1)


def test_the_law_of_shares_is_made_of_the_eigenvalues_of_their_covariance():
    values = np.arange(3000) % 5 + np.where(np.arange(3000) < 2000, 0, 3)
    both = rows(np.tile(values, 100), np.tile(WEIGHTS, 100))
    counts = by_value(both, both)
    shares = both.counts / both.total
    away = np.eye(len(shares)) - shares
    covariance = away.T @ np.diag(2 * both.variances[0]) @ away
    known = np.linalg.eigvals(covariance / shares * both.effective_rows / 2).real
    assert chi_squared_law(counts) == pytest.approx([(known**power).sum() for power in (1, 2, 3)], rel=0.02)


def test_the_tail_of_a_sum_of_uneven_squares_is_met():
    random, variances = np.random.default_rng(0), np.array([2.0, 2.0, 1.0, 0.5, 0.1, 0.1])
    drawn = random.normal(size=(400_000, 6)) ** 2 @ variances
    law = Law(*((variances**power).sum() for power in (1, 2, 3)))
    for alpha in (0.05, 0.01, 0.001):
        assert (drawn > law.critical_value(alpha)).mean() == pytest.approx(alpha, rel=0.1)
        assert law.p_value(law.critical_value(alpha)) == pytest.approx(alpha)


def test_the_curves_of_uneven_rows_vary_most_where_the_design_says():
    random, share = np.random.default_rng(0), np.where(np.arange(3000) < 1500, 0.05, 1.0)
    points, curves = np.arange(0, 3000, 50), []
    for _ in range(1500):
        values = random.integers(0, 3000, 3000)
        chosen = random.random(3000) < share[values]
        found = rows(values[chosen], 1 / share[values[chosen]])
        curves.append(found.heights[np.searchsorted(found.values, points, "right")] / found.total)
    worst = np.var(curves, axis=0).max() / (0.25 / found.effective_rows)
    assert worst == pytest.approx(1.29, abs=0.15)  # and 1 by effective rows alone
    assert curve_effect(found, found) == pytest.approx(worst, abs=0.2)
