"""Sampled rows tell what all rows would: estimates are not off, and nothing fires more often than it should.

`kept` gives the share of rows like each that is kept; the weights are 1 over it. In the last four it goes with the
values, as where failed, slow or chosen predictions are kept whole.
"""

from dataclasses import replace

import numpy as np
import pytest

from core.distribution import Distribution
from detectors import make
from detectors.univariate import UNIVARIATE

KEPT = {
    "a tenth of all": lambda random, values: np.full(len(values), 0.1),
    "half of the rows whole, a twentieth of the others": lambda random, values: random.choice([1.0, 0.05], len(values)),
    "errors whole": lambda random, values: np.where(random.random(len(values)) < 0.01 + 0.2 * (values > 1.5), 1.0, 0.1),
    "slow ones whole": lambda random, values: np.where(values > 1, 1.0, 0.1),
    "gold customers whole, who are half of them": lambda random, values: np.where(values > 0, 1.0, 0.05),
    "all but the lowest tenth whole": lambda random, values: np.where(values > -1.28, 1.0, 0.05),
}
KISH_IS_NOT_ENOUGH = list(KEPT)[4:]
NUM, CAT = ("ks", "psi", "jensen_shannon"), ("chi_squared",)
OF_TEXT = (*CAT, "fisher", "g_test", "unseen_categories")
ROWS, TRIALS = 2000, 1000
# Of 1000 trials at 5 %: three standard deviations above.
MOST_ALARMS = 0.05 + 3 * (0.05 * 0.95 / TRIALS) ** 0.5


def sampled(random, kept, rows=ROWS, mean=0.0):
    rows = rows // 4 if kept == "a tenth of all" else rows  # of even weights: the exact law, which takes its time
    values = random.normal(mean, 1, rows)
    share = KEPT[kept](random, values)
    chosen = random.random(rows) < share
    return values, values[chosen], 1 / share[chosen]


def distribution(name, values, weights):
    """Numbers, or five categories of them."""
    if name not in OF_TEXT:
        return Distribution.of_numbers(values, weights)
    numbers = Distribution.of_numbers(np.clip(np.floor(values + 2.5), 0, 4), weights)
    return replace(numbers, values=np.array([f"{value:.0f}" for value in numbers.values], dtype=object))


def alarms(name, kept, counted=lambda rows: rows, full_reference=False, trials=TRIALS):
    """Share of comparisons that fire although nothing has changed; `counted` changes what a detector is told."""
    random, detector, fired = np.random.default_rng(11), make(name), 0
    for _ in range(trials):
        _, *reference = sampled(random, kept)
        if full_reference:
            reference = [random.normal(size=ROWS), np.ones(ROWS)]
        _, *window = sampled(random, kept)
        sides = (counted(distribution(name, *side)) for side in (reference, window))
        fired += detector.compare(*sides, 0.05).fired
    return fired / trials


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("name", (*NUM, *CAT))
def test_nothing_fires_more_often_than_nominal_when_nothing_changed(name, kept):
    assert alarms(name, kept) <= MOST_ALARMS


@pytest.mark.parametrize("kept", ["errors whole", "gold customers whole, who are half of them"])
@pytest.mark.parametrize("name", (*NUM, *CAT))
def test_nor_against_a_reference_that_is_whole(name, kept):
    assert alarms(name, kept, full_reference=True) <= MOST_ALARMS


def taken_for_rows(weighted):
    return replace(weighted, effective_rows=weighted.total, squares=None)


@pytest.mark.parametrize("name", (*NUM, *CAT))
def test_weighted_counts_taken_for_rows_would_be_caught(name):
    assert alarms(name, "a tenth of all", taken_for_rows, trials=100) > 0.8


@pytest.mark.parametrize("kept", KISH_IS_NOT_ENOUGH)
@pytest.mark.parametrize("name", (*NUM, *CAT))
def test_effective_rows_alone_would_be_caught(name, kept):
    assert alarms(name, kept, lambda rows: replace(rows, squares=None)) > MOST_ALARMS


@pytest.mark.parametrize("kept", ["errors whole", "gold customers whole, who are half of them"])
@pytest.mark.parametrize("name", [name for name in UNIVARIATE if name not in (*NUM, *CAT)])
def test_nor_any_of_the_others(name, kept):
    assert alarms(name, kept, trials=120) <= 0.05 + 3 * (0.05 * 0.95 / 120) ** 0.5


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("name", (*NUM, *CAT))
def test_a_change_is_still_found(name, kept):
    random, detector, fired = np.random.default_rng(5), make(name), 0
    for _ in range(50):
        (_, *reference), (_, *window) = sampled(random, kept), sampled(random, kept, mean=1.2)
        fired += detector.compare(distribution(name, *reference), distribution(name, *window), 0.05).fired
    assert fired >= 45


@pytest.mark.parametrize("kept", KEPT)
def test_means_shares_and_quantiles_are_those_of_all_rows(kept):
    random, off = np.random.default_rng(2), []
    for _ in range(400):
        values, *rows = sampled(random, kept)
        found = Distribution.of_numbers(*rows)
        middle = found.values[np.searchsorted(found.heights[1:], found.heights[-1] / 2)]
        below = found.heights[np.searchsorted(found.values, -1.0)] / found.total
        off.append((found.mean - values.mean(), middle - np.median(values), below - (values < -1).mean()))
    standard_errors = np.std(off, axis=0) / len(off) ** 0.5
    # A ratio of sums and a quantile are off by the order of 1 / rows: far less than their own noise.
    assert (np.abs(np.mean(off, axis=0)) < 4 * standard_errors + 2 / ROWS).all()


@pytest.mark.parametrize("kept", list(KEPT)[:3])
@pytest.mark.parametrize(("name", "per_row"), [("psi", 1.0), ("jensen_shannon", 1 / (8 * np.log(2)))])
def test_psi_and_jensen_shannon_are_off_only_by_the_noise_of_fewer_rows(name, per_row, kept):
    """Both are above 0 for any two samples, by bins - 1 over the rows; sampled ones have fewer effective rows."""
    random, detector, bins, off = np.random.default_rng(2), make(name, {"bins": 5}), 5, []
    for _ in range(300):
        (all_before, *before), (all_after, *after) = (sampled(random, kept, 8000, mean) for mean in (0.0, 0.4))
        whole = [distribution(name, values, np.ones(len(values))) for values in (all_before, all_after)]
        part = [distribution(name, *side) for side in (before, after)]
        more = sum(1 / d.effective_rows for d in part) - sum(1 / d.effective_rows for d in whole)
        known, found = (detector.compare(*side, 0.05).score for side in (whole, part))
        power = 2 if name == "jensen_shannon" else 1
        off.append((found**power - known**power) - per_row * (bins - 1) * more)
    assert abs(np.mean(off)) < 4 * np.std(off) / len(off) ** 0.5 + 0.02 * per_row


@pytest.mark.parametrize("name", ["mahalanobis", "isolation_forest"])
def test_outliers_that_sampling_kept_whole_do_not_fire_and_are_scored(name):
    detector = make(name, {"contamination": 0.05, **({"trees": 10} if name == "isolation_forest" else {})})
    random, fired, told = np.random.default_rng(3), {"counted": 0, "all": 0}, 0
    for _ in range(60):
        reference, window = random.normal(size=(600, 2)), random.normal(size=(3000, 2))
        share = np.where(np.abs(window).max(axis=1) > 2, 1.0, 0.1)
        chosen = random.random(3000) < share
        window, weights = window[chosen], 1 / share[chosen]
        even = random.random(len(window)) * weights.max() < weights
        found = detector.score(reference, window, 0.05, even)
        told += (
            len(found.scores) == len(window) and found.verdict.score == (found.scores[even] > found.threshold).mean()
        )
        fired["counted"] += found.verdict.fired
        fired["all"] += detector.score(reference, window, 0.05).verdict.fired
    assert told == 60 and fired["counted"] <= 60 * 0.05 + 3 * (60 * 0.05 * 0.95) ** 0.5 and fired["all"] > 50
