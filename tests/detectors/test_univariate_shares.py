"""Detectors of bins, categories and data quality against SciPy, hand-made tables and exact laws."""

import math

import numpy as np
import pytest
from scipy import special, stats

from core.contract import Contract
from core.distribution import Distribution
from detectors import make
from detectors.univariate._shares import share_tail

of, numbers = Distribution.of_categories, Distribution.of_numbers
HALVES = of(["a", "b"], [500, 500])
THIRDS = of(["a", "b"], [700, 300])
TABLES = [[[500, 500], [90, 110]], [[200, 300, 500], [30, 30, 40]], [[1000, 9000], [20, 60]], [[40, 50], [70, 20]]]


def g_of(first, rows, columns):
    table = [[columns[0] - first, rows[0] - columns[0] + first], [first, rows[1] - first]]
    if min(map(min, table)) < 0:
        return 0.0
    expected = np.outer(rows, columns) / rows.sum()
    return 2 * float(special.rel_entr(np.array(table, dtype=float), expected).sum())


@pytest.mark.parametrize("table", TABLES)
def test_g_is_scipys_and_its_p_value_williamss_or_exact_for_two_rare_categories(table):
    names = ["a", "b", "c"][: len(table[0])]
    found = make("g_test").compare(of(names, table[0]), of(names, table[1]), 0.05)
    expected = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    assert found.score == pytest.approx(expected.statistic, rel=1e-9)
    rows, columns = np.sum(table, axis=1), np.sum(table, axis=0)
    total = rows.sum()
    if expected.expected_freq.min() < 40 and len(columns) == 2:
        law = [
            (g_of(first, rows, columns), stats.hypergeom.pmf(first, total, columns[0], rows[1]))
            for first in range(rows[1] + 1)
        ]
        assert found.p_value == pytest.approx(sum(p for g, p in law if g >= expected.statistic * (1 - 1e-9)), rel=1e-6)
        return
    q = 1 + (total * (1 / rows).sum() - 1) * (total * (1 / columns).sum() - 1) / (6 * total * (len(columns) - 1))
    assert found.p_value == pytest.approx(stats.chi2.sf(expected.statistic / q, len(columns) - 1), rel=1e-6)


@pytest.mark.parametrize(
    "table", [[[5, 5], [1, 9]], [[95, 5], [40, 10]], [[1000, 9], [20, 6]], [[3, 0], [0, 3]], [[9, 1], [9, 1]]]
)
def test_fisher_is_scipys_and_its_threshold_is_between_tables(table):
    found = make("fisher").compare(of(["a", "b"], table[0]), of(["a", "b"], table[1]), 0.05)
    assert found.p_value == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-9)
    share = [row[0] / sum(row) for row in table]
    assert found.score == pytest.approx(abs(share[0] - share[1]))
    assert found.fired == (stats.fisher_exact(table).pvalue < 0.05)


def test_fisher_of_three_categories_is_undecidable_and_missing_is_one():
    assert "3 categories" in make("fisher").compare(HALVES, of(["a", "b", "c"], [1, 2, 3]), 0.05).reason
    missing = make("fisher").compare(of(["a"], [90], missing=10), of(["a"], [70], missing=30), 0.05)
    assert missing.p_value == pytest.approx(stats.fisher_exact([[90, 10], [70, 30]]).pvalue)


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("kullback_leibler", 0.7 * math.log(1.4) + 0.3 * math.log(0.6)),
        ("hellinger", math.sqrt(1 - math.sqrt(0.35) - math.sqrt(0.15))),
        ("total_variation", 0.2),
        ("l_infinity", 0.2),
    ],
)
def test_distances_of_shares_have_their_definitions(name, score):
    assert make(name).compare(HALVES, THIRDS, 0.05).score == pytest.approx(score, rel=3e-3)


@pytest.mark.parametrize("name", ["kullback_leibler", "hellinger", "total_variation", "l_infinity"])
def test_a_threshold_of_the_users_decides_alone(name):
    low, high = (make(name, {"threshold": threshold}).compare(HALVES, THIRDS, 0.05) for threshold in (0.05, 0.4))
    assert (low.fired, high.fired, low.p_value, high.p_value) == (True, False, None, None)


@pytest.mark.parametrize(("n", "m", "both"), [(30, 40, 12), (400, 20, 30), (50, 5000, 90), (1000, 1000, 40)])
def test_shares_differ_with_hypergeometric_probabilities(n, m, both):
    firsts = np.arange(max(0, both - n), min(both, m) + 1)
    rise = firsts / m - (both - firsts) / n
    for first, difference in zip(firsts, rise, strict=True):
        exact = stats.hypergeom.sf(first - 1, n + m, both, m)
        if 1e-12 < exact < 0.3 and difference > 0:
            found = share_tail(difference, *(np.array([x]) for x in (both / (n + m), float(n), float(m))))[0]
            assert 0.8 * exact < found < 1.5 * exact


def test_the_missing_rate_is_fishers_test_of_both_kinds():
    for kind in ("num", "cat"):
        before, after = (
            numbers(np.arange(100.0), missing=gone) if kind == "num" else of(["a", "b"], [50, 50], missing=gone)
            for gone in (10, 30)
        )
        found = make("missing_rate").compare(before, after, 0.05)
        assert found.score == found.effect == pytest.approx(30 / 130 - 10 / 110)
        assert found.p_value == pytest.approx(stats.fisher_exact([[100, 10], [100, 30]]).pvalue)
        assert found.interval == pytest.approx(newcombe(10, 110, 30, 130), abs=1e-3)


def newcombe(a, n, b, m):
    (low, high), (least, most) = (
        stats.binomtest(x, rows).proportion_ci(method="wilson") for x, rows in ((b, m), (a, n))
    )
    size = b / m - a / n
    return size - math.hypot(b / m - low, most - a / n), size + math.hypot(high - b / m, a / n - least)


def test_as_many_rows_beyond_the_references_range_have_their_exact_probability():
    random, beyond = np.random.default_rng(1), []
    for _ in range(4000):
        reference, window = random.normal(size=30), random.normal(size=20)
        beyond.append(((window < reference.min()) | (window > reference.max())).sum())
    for rows in (1, 3, 6):
        window = np.append(np.zeros(20 - rows), np.full(rows, 9.0))
        found = make("range_violations").compare(numbers(np.linspace(-1, 1, 30)), numbers(window), 0.05)
        expected = np.mean(np.array(beyond) >= rows)
        assert found.score == pytest.approx(rows / 20)
        assert found.p_value == pytest.approx(expected, abs=4 * math.sqrt(expected / 4000))


def test_one_row_beyond_a_declared_range_fires_and_none_within_whatever_the_reference_holds():
    detector, reference = make("range_violations"), {"num": numbers(np.array([17.0, 25.0, 400.0]))}
    contract = Contract(range=(17, 90))
    for value, fires in ((17.0, False), (90.0, False), (90.01, True), (-np.inf, True), (np.nan, False)):
        found = detector.check(contract, reference, {"num": numbers(np.append(np.full(50, 30.0), value))}, 1e-9)
        assert (found.fired, found.p_value) == (fires, 0.0 if fires else 1.0)
        assert ("declared is 17 to 90" in found.reason) == fires


def test_unseen_categories_are_rarer_than_their_bound_says():
    random, detector, alarms = np.random.default_rng(2), make("unseen_categories"), 0
    names, shares = [str(i) for i in range(400)], 1 / np.arange(1, 401) ** 1.2
    for _ in range(300):
        reference, window = (of(names, random.multinomial(rows, shares / shares.sum())) for rows in (500, 300))
        alarms += detector.compare(reference, window, 0.05).fired
    assert alarms <= 300 * 0.05 + 3 * (300 * 0.05 * 0.95) ** 0.5
    few = detector.compare(HALVES, of(["a", "b", "new"], [480, 480, 40]), 1e-6)
    assert few.fired and few.score == pytest.approx(0.04) and few.reason == "not in the reference: new"


def test_a_category_that_is_not_declared_fires_though_the_reference_holds_it():
    contract = Contract("cat", categories=frozenset({"a"}))
    found = make("unseen_categories").check(contract, {"cat": HALVES}, {"cat": THIRDS}, 1e-9)
    assert found.fired and found.score == pytest.approx(0.3) and found.reason == "not declared: b"
    assert not make("unseen_categories").check(contract, {"cat": HALVES}, {"cat": of(["a"], [50])}, 0.05).fired


def test_values_of_another_kind_are_counted_against_what_is_declared_or_usual():
    detector = make("type_violations")
    mixed = {"num": numbers(np.arange(90.0), missing=10), "cat": of(["x"], [10], missing=90)}
    clean = {"num": numbers(np.arange(100.0))}
    usual = detector.check(Contract(), clean, mixed, 0.01)
    assert usual.fired and usual.score == pytest.approx(0.1) and usual.reason == "categories where numbers are usual"
    assert usual.p_value == pytest.approx(stats.hypergeom.sf(9, 200, 10, 100))
    assert not detector.check(Contract(), mixed, mixed, 0.05).fired
    assert detector.check(Contract("num"), mixed, mixed, 1e-9).p_value == 0
    assert not detector.check(Contract("cat"), mixed, {"cat": of(["x"], [9])}, 0.05).fired


@pytest.mark.parametrize("alpha", [1e-6, 0.05, 0.2])
def test_one_row_that_weighs_as_much_as_all_others_is_decided_like_any(alpha):
    """Found by random search: a logarithm of zero, and a score above its threshold by a rounding error."""
    weights, rows = np.array([619.0, 1.0]), 2.0000624369127027
    heavy = Distribution(np.array([0.0, 1.0]), weights, 0.0, rows, np.array([1.92193e05, 1.0]))
    few = Distribution.of_numbers(np.zeros(3))
    assert not make("energy_distance").compare(few, heavy, alpha).fired
    texts = Distribution(np.array(["0.0", "1.0"], dtype=object), weights, 0.0, rows, np.array([1.92193e05, 1.0]))
    assert not make("unseen_categories").compare(Distribution.of_categories(["0.0"], [2]), texts, alpha).fired


@pytest.mark.parametrize(
    ("n", "m", "before", "alpha"), [(10_080, 60, 0, 2.5e-5), (500, 3000, 1, 1e-4), (90, 40, 90, 0.01)]
)
def test_where_nothing_has_changed_the_threshold_is_what_the_window_would_need(n, m, before, alpha):
    def found(gone):
        sides = (of(["a"], [rows - missing], missing=missing) for rows, missing in ((n, before), (m, gone)))
        return make("missing_rate").compare(*sides, alpha)

    as_before, counts = found(before * m // n), range(m, -1, -1) if before == n else range(m + 1)
    first = next(k for k in counts if stats.fisher_exact([[n - before, before], [m - k, k]]).pvalue < alpha)
    assert as_before.threshold == pytest.approx(abs(first / m - before / n) - 0.5 / m)
    assert not as_before.fired and "too few" not in as_before.reason
    assert found(first).fired and not found(first - 1 if before < n else first + 1).fired


def test_a_window_too_small_for_any_share_says_so():
    found = make("missing_rate").compare(of(["a"], [20]), of(["a"], [3]), 1e-6)
    assert found.threshold > 1 and "too few rows for any score to fire" in found.reason
