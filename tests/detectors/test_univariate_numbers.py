"""The statistics and p-values of numeric detectors against SciPy, closed forms and laws computed another way."""

import itertools
import math
import warnings

import numpy as np
import pytest
from scipy import special, stats

from core.distribution import Distribution
from detectors import make
from detectors.univariate._heavy import Tail
from detectors.univariate._norms import Norm
from detectors.univariate._quadratic import limit_law
from detectors.univariate._squares import Squares
from detectors.univariate.cramer_von_mises import mean_square

of = Distribution.of_numbers
SHAPES = {
    "normal": lambda r, n: r.normal(size=n),
    "offset": lambda r, n: r.normal(300, 3, n),
    "cauchy": lambda r, n: r.standard_cauchy(n),
    "log-normal": lambda r, n: r.lognormal(0, 1, n),
    "discrete": lambda r, n: r.poisson(3, n) * 1.0,
    "priced": lambda r, n: np.floor(r.lognormal(3, 0.5, n)) + 0.99,
    "zeros": lambda r, n: np.where(r.random(n) < 0.9, 0.0, r.exponential(size=n)),
}


SCIPYS = {
    "energy_distance": lambda a, b: (stats.energy_distance(a, b), None),
    "wasserstein": lambda a, b: (stats.wasserstein_distance(a, b), None),
    "mann_whitney": lambda a, b: (
        abs(2 * stats.mannwhitneyu(a, b).statistic / len(a) / len(b) - 1),
        stats.mannwhitneyu(a, b, method="asymptotic").pvalue,
    ),
    "welch_t": lambda a, b: (
        abs(stats.ttest_ind(a, b, equal_var=False).statistic),
        stats.ttest_ind(a, b, equal_var=False).pvalue,
    ),
}


@pytest.mark.parametrize("name", SCIPYS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "m"), [(30, 50), (700, 400)])
def test_statistics_are_scipys_and_no_p_value_is_below_scipys(name, shape, n, m):
    random = np.random.default_rng(n)
    for shift in (0.0, 0.3):
        a, b = SHAPES[shape](random, n), SHAPES[shape](random, m) * (1 + shift)
        statistic, p_value = SCIPYS[name](a, b)
        found = make(name).compare(of(a), of(b), 0.01)
        assert found.score == pytest.approx(statistic, rel=1e-9, abs=1e-12)
        if p_value is not None:
            assert found.p_value >= p_value * (1 - 1e-9)
            if shape in ("normal", "offset"):
                assert found.p_value == pytest.approx(p_value, rel=0.1)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.8])
def test_cramer_von_mises_without_ties_is_scipys(shift):
    random = np.random.default_rng(1)
    a, b = random.normal(size=300), random.normal(shift, 1, 200)
    found, expected = (
        make("cramer_von_mises").compare(of(a), of(b), 0.01),
        stats.cramervonmises_2samp(a, b, "asymptotic"),
    )
    assert found.score == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-3, abs=1e-9)


def test_cramer_von_mises_with_ties_is_at_most_the_mean_over_all_ways_to_break_them():
    a, b = [1.0, 2.0, 2.0, 3.0], [2.0, 2.0, 3.0]
    broken = []
    for twos, threes in itertools.product(itertools.permutations(range(4)), itertools.permutations(range(2))):
        two, three = 2 + np.array(twos) * 0.01, 3 + np.array(threes) * 0.01
        broken.append(mean_square(of(np.array([1.0, *two[:2], three[0]])), of(np.array([*two[2:], three[1]]))))
    assert 0 < mean_square(of(np.array(a)), of(np.array(b))) < np.mean(broken)


@pytest.mark.parametrize("shape", SHAPES)
def test_anderson_darling_is_scipys_with_midranks(shape):
    """SciPy gives (A² - 1) / its deviation."""
    random = np.random.default_rng(3)
    a, b = SHAPES[shape](random, 60), SHAPES[shape](random, 40) + 0.4
    found = make("anderson_darling").compare(of(a), of(b), 0.01)
    pairs = [(a, b), (a, a[:40] * 1.0)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy says that its p-values are cut off
        expected = [stats.anderson_ksamp(pair).statistic for pair in (*pairs, (a, b + 100))]
    others = [make("anderson_darling").compare(of(one), of(other), 0.01).score for one, other in (*pairs, (a, b + 100))]
    slope = (others[2] - others[1]) / (expected[2] - expected[1])
    assert found.score == pytest.approx(1 + expected[0] * slope, rel=1e-9)
    assert others[1] == pytest.approx(1 + expected[1] * slope, rel=1e-9)


@pytest.mark.parametrize(("statistic", "p_value"), [(1.933, 0.1), (2.492, 0.05), (3.878, 0.01), (5.97, 0.001)])
def test_the_limit_of_anderson_darling_is_that_of_the_tables(statistic, p_value):
    """Anderson and Darling 1954; Marsaglia and Marsaglia 2004."""
    law = limit_law(lambda j: 1 / (j * (j + 1)), 1.0)
    assert law.p_value(statistic) == pytest.approx(p_value, rel=6e-3)


@pytest.mark.parametrize("freedom", [1, 2, 3, 20])
@pytest.mark.parametrize("alpha", [0.3, 0.05, 1e-3, 1e-7, 1e-15, 1e-200])
def test_sums_of_squares_have_chi_squared_tails_however_far_out(freedom, alpha):
    law, x = Squares(np.full(freedom, 2.0), rest=5.0), 5 + 2 * stats.chi2.isf(alpha, freedom)
    assert law.p_value(x) == pytest.approx(alpha, rel=2e-4 if alpha == 0.3 else 1e-6)
    assert law.critical_value(alpha) == pytest.approx(x, rel=1e-4 if alpha == 0.3 else 1e-7)


def test_the_tail_of_unequal_squares_is_that_of_smirnovs_formula():
    """2 squares: P(Q > x) by integrating one of them out."""
    law, grid = Squares(np.array([1.0, 0.3])), np.linspace(0, 40, 400_001)
    for x in (3.0, 12.0, 25.0):
        inner = stats.chi2.sf(np.maximum(x - 0.3 * grid**2, 0), 1) * 2 * stats.norm.pdf(grid)
        assert law.p_value(x) == pytest.approx(np.trapz(inner, grid), rel=1e-5)


@pytest.mark.parametrize("rows", [10, 30, 200])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.2])
def test_rare_values_have_a_tail_near_the_binomial_one_where_a_normal_law_has_none(rows, share):
    tail = Tail(np.array([0.0, 1.0]), np.array([1 - share, share]), 1e9, rows)
    for more in (1, 2, 4):
        count = math.floor(rows * share) + more
        deviate = (count / rows - share) / math.sqrt(share * (1 - share) / rows)
        exact = 2 * stats.binom.sf(count - 1, rows, share)
        assert min(exact, 1) * 0.2 <= tail.beyond(deviate) <= max(3 * exact, 1e-12)


def test_means_of_log_normal_rows_have_the_tail_that_they_have():
    random, values = np.random.default_rng(0), stats.lognorm(1).ppf((np.arange(4000) + 0.5) / 4000)
    means = values[random.integers(0, 4000, (40_000, 50))].mean(axis=1) - values.mean()
    tail = Tail(values, np.full(4000, 1 / 4000), 1e9, 50)
    for alpha in (0.05, 0.01, 0.002):
        p_value = tail.beyond(np.quantile(means, 1 - alpha / 2) / tail.deviation)
        assert 0.9 * alpha < p_value < 6 * alpha
        assert tail.gaussian(p_value) <= p_value
        assert tail.p_value(tail.gaussian(alpha)) == pytest.approx(alpha, rel=1e-3)


def test_the_area_under_a_brownian_bridge_has_its_simulated_quantiles_and_is_never_below_them():
    random, steps = np.random.default_rng(5), 40
    shares = np.full(steps, 1 / steps)
    upto = np.tri(steps - 1, steps)
    covariance = upto @ (np.diag(shares) - np.outer(shares, shares)) @ upto.T
    area = Norm.of(covariance, np.full(steps - 1, 1 / steps), math.sqrt(1 / 12))
    paths = random.normal(size=(40_000, steps)) * np.sqrt(shares)
    bridges = (np.cumsum(paths, axis=1) - np.arange(1, steps + 1) / steps * paths.sum(axis=1, keepdims=True))[:, :-1]
    areas = np.abs(bridges).sum(axis=1) / steps
    for alpha in (0.5, 0.2, 0.05, 0.01, 0.002):
        assert 0.93 * alpha < area.p_value(np.quantile(areas, 1 - alpha)) < 2.5 * alpha
        assert area.p_value(area.critical_value(alpha)) == pytest.approx(alpha, rel=1e-9)


def test_kuipers_p_value_is_that_of_a_brownian_bridges_range_and_shifts_of_a_cycle_do_not_matter():
    """1.747, 2.001: Stephens 1970, J. R. Stat. Soc. B 32, 115-122."""
    detector = make("kuiper")
    random = np.random.default_rng(2)
    a, b = random.vonmises(0, 1, 400), random.vonmises(1, 1, 300)
    found, turned = (detector.compare(of((a + turn) % 6.28318), of((b + turn) % 6.28318), 0.01) for turn in (3.0, 5.0))
    assert found.score == pytest.approx(turned.score, abs=1e-9)
    for alpha, critical in ((0.05, 1.747), (0.01, 2.001)):
        large = detector.compare(of(np.arange(1e4)), of(np.arange(1e4)), alpha)
        assert large.threshold * math.sqrt(5000) == pytest.approx(critical, abs=6e-4)


@pytest.mark.parametrize("delta", [0.1, 0.5, 2.0])
def test_shifts_of_normal_values_have_their_closed_forms(delta):
    quantiles = special.ndtri((np.arange(20_000) + 0.5) / 20_000)
    reference, window = of(quantiles * 3 + 300), of(quantiles * 3 + 300 + 3 * delta)
    scores = {
        name: make(name).compare(reference, window, 0.01).score for name in (*SCIPYS, "kuiper", "cramer_von_mises")
    }
    largest = 2 * special.ndtr(delta / 2) - 1
    assert scores["wasserstein"] == pytest.approx(3 * delta, rel=1e-3)
    assert scores["kuiper"] == pytest.approx(largest, abs=2e-4)
    assert scores["mann_whitney"] == pytest.approx(2 * special.ndtr(delta / 2**0.5) - 1, abs=1e-3)
    assert scores["welch_t"] == pytest.approx(delta * 100, rel=2e-3)
    normalised = make("wasserstein", {"normalised": True}).compare(reference, window, 0.01)
    assert normalised.score == pytest.approx(delta, rel=1e-3)
    # E|X - Y| of two normal variables whose means differ by delta; their difference has a deviation of √2.
    between = delta * (2 * special.ndtr(delta / 2**0.5) - 1) + 2 / math.pi**0.5 * math.exp(-(delta**2) / 4)
    assert scores["energy_distance"] == pytest.approx(math.sqrt(3 * 2 * (between - 2 / math.pi**0.5)), rel=3e-3)


@pytest.mark.parametrize("name", ["anderson_darling", "cramer_von_mises", "energy_distance", "kuiper", "mann_whitney"])
def test_p_values_go_on_far_into_the_tail(name):
    random = np.random.default_rng(6)
    a = random.normal(size=2000)
    p_values = [make(name).compare(of(a), of(random.normal(shift, 1, 2000)), 1e-7).p_value for shift in (0.2, 0.4, 0.8)]
    assert 1e-300 < p_values[2] < p_values[1] * 1e-10 < p_values[0] * 1e-14


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 3), (10, 10), (9, 12)])
def test_small_samples_have_the_exact_law_of_cramer_von_mises(n, m):
    random, detector = np.random.default_rng(n), make("cramer_von_mises")
    for shift in (0.0, 1.0, 9.0):
        a, b = random.normal(size=n), random.normal(shift, 1, m)
        expected, found = stats.cramervonmises_2samp(a, b, method="exact"), detector.compare(of(a), of(b), 0.05)
        assert (found.score, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
        assert found.fired == (expected.pvalue < 0.05)
