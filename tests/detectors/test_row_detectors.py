import numpy as np
import pytest
from scipy import stats

from detectors.outliers._conformal import tail
from detectors.outliers.isolation_forest import IsolationForest
from detectors.outliers.mahalanobis import Mahalanobis


@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (30, 2, 150), (500, 5, 500), (3, 50, 4000)])
def test_the_number_of_outliers_is_beta_binomial(n, k, m):
    expected = stats.betabinom(n, k, m + 1 - k).sf(np.arange(n + 1) - 1)
    assert tail(n, k, m) == pytest.approx(expected, rel=1e-8)


def test_the_law_is_that_of_rows_dealt_at_random():
    random = np.random.default_rng(0)
    outliers = []
    for _ in range(4000):
        ranks = random.permutation(60)
        outliers.append((ranks[:20] > np.sort(ranks[20:])[-2]).sum())
    seen = np.array([(np.array(outliers) >= x).mean() for x in range(6)])
    assert seen == pytest.approx(tail(20, 2, 40)[:6], abs=0.03)


def test_mahalanobis_distance_is_the_closed_form_of_uncorrelated_fields():
    random = np.random.default_rng(0)
    reference = random.normal([300, -5], [3, 0.01], size=(100_000, 2))
    window = np.array([[303.0, -5.0], [300.0, -4.97], [306.0, -5.02], [300.0, -5.0]])
    scores = Mahalanobis(shrinkage=1e-9).score(reference, window, 0.05).scores
    assert scores == pytest.approx([1, 3, 8**0.5, 0], abs=0.05)


def test_mahalanobis_sees_a_row_that_breaks_a_correlation():
    random = np.random.default_rng(0)
    one = random.normal(size=(2000, 1))
    reference = np.hstack([one, one + random.normal(0, 0.1, (2000, 1))])
    found = Mahalanobis().score(reference, np.array([[1.0, -1.0], [1.0, 1.0]]), 0.05)
    assert (found.scores > found.threshold).tolist() == [True, False]


def test_contamination_is_the_share_of_ordinary_rows_called_outliers():
    rows = np.random.default_rng(0).normal(size=(40_000, 3))
    found = Mahalanobis(contamination=0.05).score(rows[:20_000], rows[20_000:], 0.05)
    assert found.verdict.score == pytest.approx(0.05, abs=0.01) and not found.verdict.fired


def test_missing_cells_count_as_the_median_of_their_column():
    random = np.random.default_rng(0)
    reference = random.normal([5, 9], 1, size=(1001, 2))
    gap = Mahalanobis().score(reference, np.array([[np.nan, 9.5]]), 0.05).scores
    median = np.median(reference[:, 0])
    assert gap == pytest.approx(Mahalanobis().score(reference, np.array([[median, 9.5]]), 0.05).scores, abs=0.1)


def test_more_fields_than_rows_do_no_harm():
    rows = np.random.default_rng(0).normal(size=(24, 60))
    assert Mahalanobis().score(rows[:20], rows[20:], 0.05).verdict.score is not None


def test_isolation_forests_of_one_seed_are_alike_and_of_two_seeds_are_not():
    rows = np.random.default_rng(0).normal(size=(120, 3))
    one, again, other = (IsolationForest(trees=5, seed=s).score(rows[:100], rows[100:], 0.05) for s in (1, 1, 2))
    assert np.array_equal(one.scores, again.scores) and not np.array_equal(one.scores, other.scores)


def test_a_window_too_small_to_fire_says_so():
    rows = np.random.default_rng(0).normal(size=(12, 2))
    verdict = Mahalanobis().score(rows[:10], rows[10:], 0.001).verdict
    assert verdict.threshold > 1 and verdict.reason == "too few rows for any share of outliers to fire at this alpha"


def verdicts(shift, trials=200, reference=None):
    random = np.random.default_rng(5)
    for _ in range(trials):
        known, window = random.normal(size=(1000, 2)), random.normal([shift, 0], size=(200, 2))
        yield Mahalanobis(contamination=0.05).score(known if reference is None else reference, window, 0.01).verdict


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_the_effect_is_what_more_rows_are_outliers_and_its_interval_holds(shift):
    found = list(verdicts(shift, reference=np.random.default_rng(1).normal(size=(1000, 2))))
    average = np.mean([v.effect for v in found])
    assert average == pytest.approx(np.mean([v.score for v in found]) - 0.05, abs=0.001)
    assert np.mean([v.interval[0] <= average <= v.interval[1] for v in found]) >= 0.92


def test_what_is_detectable_shows_in_about_four_of_five_windows():
    shown = np.mean([v.detectable for v in verdicts(0.0, 20)])
    shifts = np.linspace(0, 2, 9)
    effects = [np.mean([v.effect for v in verdicts(shift, 100)]) for shift in shifts]
    found = [v.fired for v in verdicts(np.interp(shown, effects, shifts))]
    assert 0.7 <= np.mean(found) <= 0.9
