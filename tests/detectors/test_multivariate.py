"""Statistics of the joint detectors against their definitions, written naively here, and other libraries."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from detectors.multivariate import MULTIVARIATE
from detectors.multivariate._columns import sampled, standardised
from detectors.multivariate._kernel import blocks, distances
from detectors.multivariate._pearson import PearsonIII
from detectors.multivariate._permutation import average, contrast, moments
from detectors.multivariate.domain_classifier import _hanley_mcneil, _middle_ranks, _rank_sum_law
from detectors.multivariate.mmd import MMD
from detectors.multivariate.pca_reconstruction import PCAReconstruction
from detectors.multivariate.sliced_wasserstein import SlicedWasserstein, _directions, _error, _mean_distance, _signs


def normal(rows, fields=3, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, fields))


def both(reference, window):
    """The columns that the detectors compute with."""
    samples = standardised(sampled((reference, window), None, 10_000, 0))
    return samples.reference, samples.window


def mean_of_pairs(similarity):
    off = ~np.eye(len(similarity), dtype=bool)
    return similarity[off].mean()


def test_mmd_is_the_unbiased_estimate_of_its_definition():
    x, y = both(normal(70), normal(50, seed=1) + 0.3)
    k = [np.exp(-cdist(a, b, "sqeuclidean") / (2 * 1.5**2)) for a, b in ((x, x), (y, y), (x, y))]
    found = MMD(sigma=1.5).compare_rows(normal(70), normal(50, seed=1) + 0.3, 0.05).verdict.score
    assert found == pytest.approx(mean_of_pairs(k[0]) + mean_of_pairs(k[1]) - 2 * k[2].mean(), rel=1e-9)


def test_sigma_is_the_median_distance_of_all_rows():
    x, y = normal(60), normal(60, seed=1)
    apart = cdist(np.vstack(both(x, y)), np.vstack(both(x, y)))
    given = MMD(sigma=float(np.median(apart[apart > 0]))).compare_rows(x, y, 0.05)
    assert MMD().compare_rows(x, y, 0.05).verdict.p_value == pytest.approx(given.verdict.p_value, rel=1e-5)


def test_energy_distance_is_that_of_its_definition_and_of_scipy_for_one_field():
    x, y = both(normal(70), normal(50, seed=1) + 0.3)
    d = [cdist(a, b) for a, b in ((x, x), (y, y), (x, y))]
    found = MULTIVARIATE["energy"]().compare_rows(normal(70), normal(50, seed=1) + 0.3, 0.05).verdict.score
    assert found == pytest.approx(2 * d[2].mean() - mean_of_pairs(d[0]) - mean_of_pairs(d[1]), rel=1e-6)
    one, other = both(normal(500, 1), normal(500, 1, seed=1) + 1)
    found = MULTIVARIATE["energy"]().compare_rows(normal(500, 1), normal(500, 1, seed=1) + 1, 0.05)
    assert found.verdict.score == pytest.approx(stats.energy_distance(one[:, 0], other[:, 0]) ** 2, rel=0.02)


@pytest.mark.parametrize(("n", "m"), [(3, 4), (2, 6), (5, 4)])
def test_moments_are_those_of_all_permutations(n, m):
    kernel = np.exp(-distances(normal(n + m, seed=n)))
    dealt = [[*first, *(set(range(n + m)) - set(first))] for first in combinations(range(n + m), n)]
    statistics = np.array([contrast(kernel[np.ix_(order, order)], n) for order in dealt])
    found = moments(kernel.copy(), n)
    assert found.statistic == pytest.approx(contrast(kernel, n))
    assert (found.second, found.third) == pytest.approx(((statistics**2).mean(), (statistics**3).mean()))
    assert statistics.mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("fields", [2, 20])
@pytest.mark.parametrize("heavy", [False, True])
def test_the_tail_is_that_of_many_permutations(fields, heavy):
    random, n, m = np.random.default_rng(4), 90, 50
    rows = random.standard_t(2, size=(n + m, fields)).clip(-10, 10) if heavy else random.normal(size=(n + m, fields))
    kernel = np.exp(-distances(rows) / (2 * fields))
    law = average([moments(kernel.copy(), n)])[1]
    second = np.argsort(random.random((40_000, n + m)), axis=1) >= n
    y = np.where(second, -1 / m, 1 / n)
    quadratic = np.einsum("ij,ij->i", y @ kernel, y)  # with the diagonal, and with 1/n² for 1/n(n-1)
    inside = [np.einsum("ij,ij->i", s @ kernel, s.astype(float)) - s.sum(1) for s in (~second, second)]
    unbiased = quadratic - 1 / n - 1 / m + inside[0] / (n**2 * (n - 1)) + inside[1] / (m**2 * (m - 1))
    for alpha, near in ((0.05, 0.2), (0.01, 0.25), (1e-3, 0.6)):
        assert (unbiased > law.critical_value(alpha)).mean() == pytest.approx(alpha, rel=near)


@pytest.mark.parametrize("fields", [1, 5])
def test_the_largest_weight_is_that_of_the_kernels_greatest_eigenvalue(fields):
    n, m = 200, 100
    rows = normal(n + m, fields)
    kernel = np.exp(-distances(rows) / (2 * fields))
    centred = kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean()
    greatest = np.linalg.eigvalsh(centred).max() / (n + m) * (1 / n + 1 / m)
    largest = average([moments(kernel.copy(), n)]).largest
    assert greatest <= largest * 1.05 and largest < 1.5 * greatest  # the fourth root of all of them to the fourth


def test_blocks_hold_every_row_once_and_give_the_statistic_a_narrower_law():
    samples = sampled((normal(3000), normal(1500, seed=1)), None, 10_000, 0)
    dealt = blocks(samples, 500)
    assert len(dealt) == 9 and sum(block.n for block in dealt) == 3000
    assert np.array_equal(np.sort(np.vstack([b.rows[: b.n] for b in dealt]), axis=0), np.sort(normal(3000), axis=0))
    linear, quadratic = (
        MMD(block_rows=size).compare_rows(normal(500), normal(500, seed=1), 0.01).verdict for size in (125, 1000)
    )
    assert quadratic.threshold < linear.threshold < 4 * quadratic.threshold
    assert abs(linear.score - quadratic.score) < linear.threshold


def test_missing_cells_are_the_median_beside_a_column_of_gaps():
    rows = normal(400, 2)
    rows[::4, 0] = np.nan
    samples = standardised(sampled((rows[:200], rows[200:]), None, 1000, 0))
    assert samples.fields.tolist() == [0, 1, 0]
    assert (samples.reference[:, 0] == 0).sum() >= 50 and set(samples.reference[:, 2]) == set(samples.window[:, 2])


@pytest.mark.parametrize("skewness", [0.0, 0.4, 2.0])
def test_the_gamma_law_is_scipys(skewness):
    law, theirs = PearsonIII(2.0, 3.0, skewness), stats.pearson3(skewness, 2, 3)
    for alpha in (0.3, 0.05, 1e-6):
        assert law.critical_value(alpha) == pytest.approx(theirs.isf(alpha), rel=1e-6)
        assert law.p_value(theirs.isf(alpha)) == pytest.approx(alpha, rel=1e-6)


def test_sliced_wasserstein_is_the_mean_over_directions_of_scipys_distance():
    x, y, directions = normal(40), normal(70, seed=1) + 0.2, normal(3, 25, seed=2)
    mine = _mean_distance(np.vstack([x, y]) @ directions, _signs(np.arange(110)[:, None], 40))[0]
    theirs = [stats.wasserstein_distance(x @ line, y @ line) for line in directions.T]
    assert mine == pytest.approx(np.mean(theirs), rel=1e-9)


@pytest.mark.parametrize(("n", "m", "shift"), [(300, 150, 1.0), (100, 400, 2.0)])
def test_the_error_of_a_sliced_distance_is_the_spread_of_repeated_samples(n, m, shift):
    random = np.random.default_rng(0)
    directions, signs = _directions(20, 3, random), _signs(np.arange(n + m)[:, None], n)
    found, errors = [], []
    for _ in range(300):
        rows = random.normal(size=(n + m, 3))
        rows[n:, 0] += shift
        found.append(_mean_distance(rows @ directions, signs)[0])
        errors.append(_error(rows @ directions, n))
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.15)


def test_sliced_wasserstein_far_tails_hold():
    random, law = np.random.default_rng(0), []
    for _ in range(200):
        table = random.normal(size=(100, 3))
        found = SlicedWasserstein(directions=10, permutations=100).compare_rows(table[:60], table[60:], 0.001)
        law.append(found.verdict.p_value)
    assert np.mean(np.array(law) < 0.01) <= 0.03 and stats.kstest(law, "uniform").statistic < 0.12


def test_the_area_is_scikit_learns_and_its_law_that_of_rank_sums():
    from sklearn.metrics import roc_auc_score

    scores, window = np.random.default_rng(0).integers(0, 6, 60).astype(float), np.arange(60) >= 35
    ranks = _middle_ranks(scores)
    area = (ranks[35:].sum() - 25 * 26 / 2) / (35 * 25)
    assert area == pytest.approx(roc_auc_score(window, scores))
    drawn = np.random.default_rng(1).permuted(np.tile(ranks, (40_000, 1)), axis=1)[:, :8]
    areas = (drawn.sum(axis=1) - 8 * 9 / 2) / (52 * 8)
    law = _rank_sum_law(ranks, 8)
    assert (law.mean, law.deviation) == pytest.approx((areas.mean(), areas.std()), rel=0.02)
    assert law.skewness == pytest.approx(stats.skew(areas), abs=0.05)
    small = _rank_sum_law(_middle_ranks(np.array([1.0, 2, 2, 5, 9, 9, 9])), 2)
    every = np.array([sum(pair) for pair in combinations(_middle_ranks(np.array([1.0, 2, 2, 5, 9, 9, 9])), 2)])
    assert small.deviation == pytest.approx(every.std() / 10) and small.skewness == pytest.approx(stats.skew(every))


def test_hanley_and_mcneils_error_is_that_of_their_table():
    # Their example: area 0.893 for 51 diseased of 109, standard error 0.0322 (p. 33).
    assert _hanley_mcneil(0.893, 58, 51) == pytest.approx(0.0322, abs=5e-4)


def test_pca_sees_a_broken_correlation_and_not_a_shift_along_its_component():
    random = np.random.default_rng(0)
    common = random.normal(size=(4000, 1))
    reference = common[:2000] + 0.3 * random.normal(size=(2000, 3))
    along = 1 + common[2000:] + 0.3 * random.normal(size=(2000, 3))
    apart = random.permuted(along - 1, axis=0)
    detector = PCAReconstruction()
    assert not detector.compare_rows(reference, along, 1e-4).verdict.fired
    found = detector.compare_rows(reference, apart, 1e-4).verdict
    assert found.fired and found.effect > 1
    centred = (reference - reference.mean(axis=0)) / reference.std(axis=0)
    axis = np.linalg.svd(centred)[2][0]
    theirs = np.linalg.norm(centred - np.outer(centred @ axis, axis), axis=1)
    assert found.effect == pytest.approx(
        (np.linalg.norm(apart - np.outer(apart @ axis, axis), axis=1).mean() - theirs.mean()) / theirs.std(), rel=0.15
    )


@pytest.mark.parametrize("name", ["energy", "mmd", "sliced_wasserstein"])
def test_small_shifts_are_found_in_nine_of_ten_windows(name):
    random, fired = np.random.default_rng(0), 0
    for _ in range(10):
        reference, window = random.normal(size=(300, 5)), random.normal(size=(300, 5))
        window[:, :2] += 0.35
        fired += MULTIVARIATE[name]().compare_rows(reference, window, 0.01).verdict.fired
    assert fired >= 9
