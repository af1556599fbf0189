import itertools
import math

import numpy as np
import pytest
from scipy import stats

from core.distribution import Distribution
from detectors.univariate.chi_squared import ChiSquared

of = Distribution.of_categories


@pytest.mark.parametrize(
    "table",
    [
        [[500, 500], [90, 110]],
        [[200, 300, 500], [30, 30, 40]],
        [[40, 60, 0], [50, 30, 20]],
        [[1000, 9000], [20, 60]],
    ],
)
def test_statistic_and_p_value_are_scipys_where_each_cell_expects_five_rows(table):
    names = ["a", "b", "c"][: len(table[0])]
    found = ChiSquared().compare(of(names, table[0]), of(names, table[1]), 0.05)
    expected = stats.chi2_contingency(table, correction=False)
    assert expected.expected_freq.min() >= 5
    assert found.score == pytest.approx(stats.contingency.association(np.array(table), method="cramer"), rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_missing_rows_are_one_more_category():
    missing = ChiSquared().compare(of(["a", "b"], [50, 50], missing=20), of(["a", "b"], [50, 50], missing=60), 0.05)
    named = ChiSquared().compare(of(["a", "b", "c"], [50, 50, 20]), of(["a", "b", "c"], [50, 50, 60]), 0.05)
    assert (missing.score, missing.p_value) == (pytest.approx(named.score), pytest.approx(named.p_value))


def test_a_category_never_seen_in_a_large_reference_fires():
    window = of(["a", "b", "new"], [490, 490, 20])
    assert ChiSquared().compare(of(["a", "b"], [500_000, 500_000]), window, 0.001).fired


def test_weighted_rows_count_as_effective_rows():
    one, other = of(["a", "b"], [400, 600], effective_rows=100.0), of(["a", "b"], [700, 300], effective_rows=50.0)
    expected = ChiSquared().compare(of(["a", "b"], [40, 60]), of(["a", "b"], [35, 15]), 0.05)
    found = ChiSquared().compare(one, other, 0.05)
    assert (found.score, found.p_value) == (pytest.approx(expected.score), pytest.approx(expected.p_value))


@pytest.mark.parametrize(("both", "n"), [((3, 2, 1, 1), 3), ((5, 4, 2), 6), ((2, 2, 2, 1), 3), ((6, 1, 1), 4)])
def test_with_rare_categories_the_null_has_at_least_the_tail_of_the_mean_and_variance_over_all_deals(both, n):
    names, rows = list("abcd")[: len(both)], sum(both)
    deals = [deal for deal in itertools.product(*(range(c + 1) for c in both)) if sum(deal) == n]
    chances = np.array([math.prod(map(math.comb, both, deal)) / math.comb(rows, n) for deal in deals])
    scores = [compare(names, deal, both) for deal in deals]
    statistics = np.array([score.score**2 * rows for score in scores])
    mean = chances @ statistics
    variance = chances @ (statistics - mean) ** 2
    law = stats.gamma(mean**2 / variance, scale=variance / mean).sf(statistics)
    p_values = np.array([score.p_value for score in scores])
    # No lower than what one rare category alone does.
    assert (p_values >= law - 1e-9).all()


def compare(names, deal, both):
    rest = [all_rows - dealt for all_rows, dealt in zip(both, deal, strict=True)]
    return ChiSquared().compare(of(names, deal), of(names, rest), 0.05)


@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (5000, 100)])
def test_false_alarms_are_not_above_nominal_with_a_thousand_rare_categories(n, m):
    random, alarms = np.random.default_rng(4), 0
    shares = 1 / np.arange(1, 1001)
    for _ in range(200):
        sides = [random.multinomial(rows, shares / shares.sum()) for rows in (n, m)]
        alarms += ChiSquared().compare(*(of([str(i) for i in range(1000)], side) for side in sides), 0.05).fired
    assert alarms <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5


def test_names_that_never_repeat_are_undecidable():
    score = ChiSquared().compare(of(["a", "b", "c"], [1, 1, 1]), of(["d", "e"], [1, 1]), 0.05)
    assert score.score is None and "only once" in score.reason


def test_effect_is_the_total_variation_distance():
    score = ChiSquared().compare(of(["a", "b"], [50, 50]), of(["a", "c"], [50, 50]), 0.05)
    assert score.effect == pytest.approx(0.5)
