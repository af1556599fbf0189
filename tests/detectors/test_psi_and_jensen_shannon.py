import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from core.distribution import Distribution
from detectors import make
from detectors.univariate.jensen_shannon import JensenShannon
from detectors.univariate.psi import PSI

of = Distribution.of_numbers
RANDOM_SHAPES = {
    "normal": stats.norm(0, 1),
    "offset": stats.norm(300, 3),
    "cauchy": stats.cauchy(),
    "log-normal": stats.lognorm(2),
}


def deciles_of(reference, window):
    """Shares of both by the plainest means: every row looked up among the reference's nine inner deciles."""
    edges = np.quantile(reference, np.arange(1, 10) / 10, method="inverted_cdf")
    return [np.bincount(np.searchsorted(edges, rows), minlength=10) / len(rows) for rows in (reference, window)]


@pytest.mark.parametrize("shape", RANDOM_SHAPES)
@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (3000, 400)])
def test_numbers_are_cut_at_the_deciles_of_the_reference(shape, n, m):
    law = RANDOM_SHAPES[shape]
    reference, window = law.rvs(n, random_state=1), law.rvs(m, random_state=2) * 1.1
    p, q = deciles_of(reference, window)
    assert JensenShannon().compare(of(reference), of(window), 0.05).score == pytest.approx(jensenshannon(p, q, base=2))
    p, q = ((share + 0.5 / min(n, m)) / (1 + 5 / min(n, m)) for share in (p, q))
    assert PSI().compare(of(reference), of(window), 0.05).score == pytest.approx(((q - p) * np.log(q / p)).sum())


@pytest.mark.parametrize("bins", [10, 200])
def test_psi_of_a_shifted_normal_is_the_closed_form_of_its_bins(bins):
    """Over ever finer bins PSI of N(0,1) against N(1,1) tends to 1, the symmetrised Kullback-Leibler divergence."""
    edges = stats.norm.ppf(np.arange(bins + 1) / bins)
    p, q = np.diff(stats.norm.cdf(edges)), np.diff(stats.norm.cdf(edges, loc=1))
    exact = ((q - p) * np.log(q / p)).sum()
    rows = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    assert PSI(bins=bins).compare(of(rows), of(rows + 1), 0.05).score == pytest.approx(exact, rel=0.01)
    assert 0.9 < exact < 1


def test_few_values_are_bins_of_their_own():
    reference, window = np.repeat([0.0, 1.0, 2.0], [50, 30, 20]), np.repeat([0.0, 1.0, 2.0, 7.0], [20, 30, 30, 20])
    found = JensenShannon().compare(of(reference), of(window), 0.05)
    assert found.score == pytest.approx(jensenshannon([0.5, 0.3, 0.2, 0], [0.2, 0.3, 0.3, 0.2], base=2))


@pytest.mark.parametrize("name", ["psi", "jensen_shannon"])
@pytest.mark.parametrize("towards", [-1.0, 1.0])
def test_what_leaves_a_heavily_tied_value_is_seen_on_either_side(name, towards):
    random = np.random.default_rng(0)
    reference = np.where(random.random(2000) < 0.99, 5.0, 5 + random.normal(size=2000))
    window = np.where(random.random(2000) < 0.9, 5.0, 5 + towards * random.random(2000))
    assert make(name).compare(of(reference), of(window), 0.001).fired


@pytest.mark.parametrize("name", ["psi", "jensen_shannon"])
def test_a_window_of_one_unseen_category_fires_against_thousands_of_rare_ones(name):
    reference = Distribution.of_categories([f"c{i}" for i in range(5000)], [20] * 5000)
    assert make(name).compare(reference, Distribution.of_categories(["new"], [500]), 0.001).fired


@pytest.mark.parametrize("name", ["psi", "jensen_shannon"])
@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (5000, 200)])
def test_false_alarms_are_not_above_nominal_with_many_rare_categories(name, n, m):
    random, alarms, detector = np.random.default_rng(4), 0, make(name)
    shares = 1 / np.arange(1, 501)
    for _ in range(200):
        sides = [random.multinomial(rows, shares / shares.sum()) for rows in (n, m)]
        names = [str(i) for i in range(500)]
        alarms += detector.compare(*(Distribution.of_categories(names, side) for side in sides), 0.05).fired
    assert alarms <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5


@pytest.mark.parametrize("name", ["psi", "jensen_shannon"])
def test_the_p_value_is_uniform_when_nothing_changed(name):
    random, detector = np.random.default_rng(6), make(name)
    found = [detector.compare(of(random.normal(size=800)), of(random.normal(size=500)), 0.05) for _ in range(300)]
    assert stats.kstest([score.p_value for score in found], "uniform").pvalue > 0.01


@pytest.mark.parametrize(("name", "threshold"), [("psi", 0.2), ("jensen_shannon", 0.3)])
def test_a_threshold_of_ones_own_is_used_as_it_is_and_has_no_p_value(name, threshold):
    reference, window = of(np.arange(1000.0)), of(np.arange(1000.0) + 50)
    score = make(name, {"threshold": threshold}).compare(reference, window, 0.05)
    assert (score.threshold, score.p_value, score.fired) == (threshold, None, False)
    assert make(name).compare(reference, window, 0.05).fired


@pytest.mark.parametrize("name", ["psi", "jensen_shannon"])
def test_fewer_rows_than_two_bins_need_are_undecidable(name):
    score = make(name).compare(of(np.arange(19.0)), of(np.arange(100.0)), 0.05)
    assert score.score is None and score.reason == "the reference has 19 rows, fewer than the 20 needed"


@pytest.mark.parametrize("name", ["psi", "jensen_shannon"])
def test_weights_that_are_all_alike_change_nothing(name):
    random = np.random.default_rng(0)
    reference, window = random.normal(size=300), random.normal(0.5, 1, 200)
    plain = make(name).compare(of(reference), of(window), 0.05)
    weighted = make(name).compare(of(reference, np.full(300, 7.0)), of(window, np.full(200, 0.1)), 0.05)
    assert weighted.score == pytest.approx(plain.score) and weighted.p_value == pytest.approx(plain.p_value)
