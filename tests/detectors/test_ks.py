import time

import numpy as np
import pytest
from scipy import stats

from core.distribution import Distribution
from detectors.univariate._kolmogorov import critical_value, p_value
from detectors.univariate.ks import KS, largest_difference

of = Distribution.of_numbers
SHAPES = {
    "normal": lambda r, n: r.normal(size=n),
    "offset": lambda r, n: r.normal(300, 3, n),
    "cauchy": lambda r, n: r.standard_cauchy(n),
    "log-normal": lambda r, n: r.lognormal(0, 2, n),
    "discrete": lambda r, n: r.poisson(3, n).astype(float),
    "tied": lambda r, n: np.where(r.random(n) < 0.7, 0.0, r.exponential(size=n)),
    "infinite": lambda r, n: r.choice([-np.inf, 0.0, 1.0, np.inf], n),
    "missing": lambda r, n: np.where(r.random(n) < 0.2, np.nan, r.normal(size=n)),
    "huge": lambda r, n: r.choice([-1.7e308, 1.7e308, 0.0], n),
}


def before_all_numbers(rows):
    """SciPy has no missing values: order is all that counts, so ranks do, with missing below the lowest."""
    return np.unique(np.where(np.isnan(rows), np.nan, rows), return_inverse=True)[1] * 1.0


def scipys(reference, window, method):
    both = np.concatenate([reference, window])
    ranks = np.where(np.isnan(both), -1.0, before_all_numbers(both))
    return stats.ks_2samp(ranks[: len(reference)], ranks[len(reference) :], method=method)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 3), (3, 3), (3, 40), (25, 60), (100, 100), (101, 97), (700, 150)])
def test_statistic_and_exact_p_value_are_scipys(shape, n, m):
    random = np.random.default_rng(n * m)
    for shift in (0.0, 0.4):
        reference, window = SHAPES[shape](random, n), SHAPES[shape](random, m) * (1 - shift) + shift
        found, expected = KS().compare(of(reference), of(window), 0.05), scipys(reference, window, "exact")
        assert found.score == pytest.approx(expected.statistic, abs=1e-12)
        assert found.p_value == pytest.approx(expected.pvalue, abs=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "m"), [(12_000, 9_000), (5_000, 70_000)])
def test_large_samples_have_scipys_statistic_and_asymptotic_p_value(shape, n, m):
    random = np.random.default_rng(n)
    reference, window = SHAPES[shape](random, n), SHAPES[shape](random, m)
    found, expected = KS().compare(of(reference), of(window), 0.05), scipys(reference, window, "asymp")
    assert found.score == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.02)


@pytest.mark.parametrize(("n", "m"), [(1000, 990), (700, 500), (2000, 1000), (10_000, 100), (9_000, 300)])
def test_asymptotic_p_values_are_within_a_tenth_of_the_exact_ones(n, m):
    for z in (0.8, 1.0, 1.36, 1.63, 2.0):
        statistic = round(z * (n + m) / (n * m) ** 0.5 * n / (n + m) ** 0.5) / n
        exact = stats.ks_2samp(*samples_apart(statistic, n, m), method="exact")
        assert 0.99 < p_value(exact.statistic, n, m) / exact.pvalue < 1.1


def samples_apart(statistic, n, m):
    """Two samples whose curves differ by about `statistic`."""
    return np.linspace(0, 1, n), np.linspace(statistic, 1 + statistic, m) + 1e-9


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 8), (30, 30), (31, 400), (900, 1100), (1e6, 1e6), (17.3, 41.9)])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.05 / 30, 1e-5])
def test_the_threshold_is_where_the_p_value_crosses_alpha(n, m, alpha):
    threshold = critical_value(alpha, n, m)
    assert p_value(threshold + 1e-9, n, m) < alpha
    assert p_value(threshold - 1e-9, n, m) >= alpha


def test_few_rows_that_cannot_fire_say_so():
    score = KS().compare(of(np.array([1.0, 2.0, 3.0])), of(np.array([7.0, 8.0, 9.0])), 0.05)
    assert (score.score, score.p_value, score.fired) == (1.0, pytest.approx(0.1), False)
    assert score.reason == "too few rows for any score to fire at this alpha"


def test_weighted_rows_count_as_kishs_effective_rows():
    random = np.random.default_rng(0)
    values, weights = random.normal(size=4000), random.exponential(size=4000)
    found = KS().compare(of(values[:2000], weights[:2000]), of(values[2000:], weights[2000:]), 0.05)
    weight = weights[:2000].sum(), weights[2000:].sum()
    steps = np.concatenate([weights[:2000] / weight[0], -weights[2000:] / weight[1]])
    assert found.score == pytest.approx(np.abs(np.cumsum(steps[np.argsort(values)])).max(), abs=1e-12)
    effective = [w.sum() ** 2 / (w @ w) for w in (weights[:2000], weights[2000:])]
    root = np.sqrt(effective[0] * effective[1] / sum(effective))
    kish = stats.kstwobign.sf(root * found.score)
    assert kish <= found.p_value < 1.01 * kish  # the weights know nothing of the values, but are not quite even


def test_false_alarms_of_weighted_rows_are_not_above_nominal():
    random, alarms = np.random.default_rng(2), 0
    for _ in range(300):
        values, weights = random.normal(size=400), random.choice([1.0, 10.0], 400)
        alarms += KS().compare(of(values[:200], weights[:200]), of(values[200:], weights[200:]), 0.05).fired
    assert alarms <= 300 * 0.05 + 3 * (300 * 0.05 * 0.95) ** 0.5


def test_effect_is_the_shift_of_the_mean_in_reference_deviations():
    random = np.random.default_rng(0)
    reference, window = random.normal(300, 3, 5000), random.normal(303, 3, 5000)
    effect = KS().compare(of(reference), of(window), 0.05).effect
    assert effect == pytest.approx((window.mean() - reference.mean()) / reference.std(), rel=1e-9)
    assert KS().compare(of(np.ones(9)), of(np.arange(9.0)), 0.05).effect is None


@pytest.mark.parametrize("values", [np.arange(1e5), np.repeat(np.arange(100.0), 1000)])
def test_the_largest_difference_is_found_wherever_it_is(values):
    random = np.random.default_rng(1)
    for _ in range(20):
        start = random.integers(0, len(values) - 10)
        window = np.delete(values, np.arange(start, start + random.integers(1, 10)))
        expected = stats.ks_2samp(values, window, method="asymp").statistic
        assert largest_difference(of(values), of(window)) == pytest.approx(expected, abs=1e-12)


def test_a_million_and_a_million_rows_are_compared_faster_than_every_value_is_looked_up():
    random = np.random.default_rng(0)
    reference, window = of(random.normal(size=1_000_000)), of(random.normal(0.02, 1, 1_000_000))
    whole = seconds(lambda: KS().compare(reference, window, 0.05))
    assert whole < seconds(lambda: np.searchsorted(reference.values, window.values))


def seconds(work):
    def once():
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return min(once() for _ in range(5))
