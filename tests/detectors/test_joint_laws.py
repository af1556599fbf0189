"""What every registered joint detector promises; a new one is tested by being registered."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import JointDetector, make
from detectors.multivariate import MULTIVARIATE

# Fewer trees and permutations than by default: the promises are the same.
OPTIONS = {"domain_classifier": {"trees": 10}, "sliced_wasserstein": {"directions": 5, "permutations": 400}}
ALL = [pytest.param(make(name, OPTIONS.get(name, {})), id=name) for name in MULTIVARIATE]
LIGHT = [param for param in ALL if not param.values[0].heavy]

cells = st.sampled_from([0.0, 1.0, 2.0, np.inf, -np.inf, np.nan, 1e300, -1e300, 1e-300]) | st.floats()
tables = st.integers(0, 60).flatmap(
    lambda n: st.lists(st.lists(cells, min_size=2, max_size=2), min_size=min(n, 4), max_size=4).map(
        lambda rows: np.tile(np.array(rows, dtype=float).reshape(-1, 2), (15, 1))[:n]
    )
)


def rows(count, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(300, 3, size=(count, 4)) + shift


@pytest.mark.parametrize("detector", ALL)
def test_it_is_of_this_protocol(detector):
    assert isinstance(detector, JointDetector)


@pytest.mark.parametrize("detector", LIGHT)
def test_any_rows_are_compared_consistently_and_twice_alike(detector):
    @settings(deadline=None, max_examples=25)
    @given(tables, tables, st.sampled_from([0.2, 0.05, 1e-6]))
    def law(reference, window, alpha):
        found, again = (detector.compare_rows(reference, window, alpha) for _ in range(2))
        verdict = found.verdict
        assert verdict == again.verdict and np.array_equal(found.contributions, again.contributions)
        assert found.contributions.shape == (2,) and (found.contributions >= 0).all()
        if verdict.score is None:
            assert verdict.reason and (verdict.threshold, verdict.p_value, verdict.effect) == (None, None, None)
            assert verdict.interval is None and verdict.detectable is None
            return
        assert verdict.detectable is None or 0 < verdict.detectable < np.inf
        if verdict.effect is not None and verdict.interval is not None:
            assert verdict.interval[0] <= verdict.effect <= verdict.interval[1]
        assert np.isfinite([verdict.score, verdict.threshold]).all() and 0 <= verdict.p_value <= 1
        assert verdict.fired == (verdict.p_value < alpha)
        assert found.contributions.sum() == pytest.approx(1 if found.contributions.any() else 0)
        assert verdict.fired or not found.contributions.any()

    law()


@pytest.mark.parametrize("detector", LIGHT)
def test_numbers_too_small_for_their_square_to_be_one_are_nothing(detector):
    zeros, small = np.zeros((60, 2)), np.zeros((60, 2))
    small[::4, 1] = 1e-300
    for pair in ((zeros, small), (small, zeros)):
        assert "constant" in detector.compare_rows(*pair, 0.05).verdict.reason


@pytest.mark.parametrize("detector", ALL)
def test_a_reference_against_itself_never_fires(detector):
    for table in (rows(300), np.round(rows(300) / 3), np.where(rows(300) > 302, np.nan, rows(300))):
        assert not detector.compare_rows(table, table.copy(), 0.05).verdict.fired


@pytest.mark.parametrize("detector", ALL)
def test_what_breaks_the_fields_apart_fires_and_is_told_by_field(detector):
    reference, window = rows(400), rows(400, seed=1)
    reference[:, 1:], window[:, 1:] = reference[:, :1] + rows(400)[:, 1:] / 9, window[:, :1] + rows(400)[:, 1:] / 9
    window[:, 2] = 2 * np.random.default_rng(2).permutation(window[:, 2]) + 30
    found = detector.compare_rows(reference, window, 0.001)
    assert found.verdict.fired and found.contributions.argmax() == 2
    assert found.contributions.sum() == pytest.approx(1)


@pytest.mark.parametrize("detector", ALL)
def test_values_that_go_missing_fire(detector):
    gaps = np.where(np.random.default_rng(3).random((400, 4)) < [0.5, 0, 0, 0], np.nan, rows(400, seed=1))
    found = detector.compare_rows(rows(400), gaps, 0.001)
    assert found.verdict.fired and found.contributions.argmax() == 0


@pytest.mark.parametrize("detector", ALL)
def test_infinities_fire_like_large_numbers(detector):
    window = rows(400, seed=1)
    window[::2, 3] = np.inf
    assert detector.compare_rows(rows(400), window, 0.001).verdict.fired


@pytest.mark.parametrize("detector", ALL)
@pytest.mark.parametrize(
    ("reference", "window", "said"),
    [
        (np.zeros((0, 2)), np.ones((90, 2)), "the reference has 0 rows"),
        (rows(9), rows(90), "the reference has 9 rows"),
        (rows(90), rows(1), "the window has 1 rows"),
        (np.full((90, 2), 7.0), np.full((90, 2), 7.0), "constant or missing, the same"),
        (np.full((90, 2), np.nan), np.full((90, 2), np.nan), "constant or missing, the same"),
        (np.full((90, 2), np.inf), np.full((90, 2), np.inf), "constant or missing, the same"),
    ],
)
def test_nothing_to_compare_is_undecidable_with_a_reason(detector, reference, window, said):
    found = detector.compare_rows(reference, window, 0.05)
    assert found.verdict.score is None and said in found.verdict.reason and not found.contributions.any()


@pytest.mark.parametrize("detector", ALL)
def test_columns_of_one_field_count_together(detector):
    reference, window = rows(400), rows(400, seed=1)
    window[:, 2:] = 5 * (window[:, 2:] - 300) + 330
    found = detector.compare_rows(reference, window, 0.001, np.array([0, 1, 1, 1]))
    assert found.verdict.fired and found.contributions.shape == (2,) and found.contributions.argmax() == 1


@pytest.mark.parametrize("detector", ALL)
def test_more_rows_than_the_limit_are_left_out(detector):
    reference, window = rows(2000), 300 + 1.6 * (rows(2000, seed=1) - 300)
    assert detector.compare_rows(reference, window, 1e-6).verdict.p_value < 1e-6
    assert replace(detector, rows=60).compare_rows(reference, window, 1e-6).verdict.p_value > 1e-6


@pytest.mark.parametrize("detector", LIGHT)
@pytest.mark.parametrize("kind", ["normal", "together", "heavy", "discrete", "missing"])
def test_false_alarms_are_not_above_nominal(detector, kind):
    random, trials, p_values = np.random.default_rng(11), 100, []
    for _ in range(trials):
        table = sample(random, kind, 140, 4)
        p_values.append(detector.compare_rows(table[:80], table[80:], 0.05).verdict.p_value)
    for alpha in (0.05, 0.01):
        assert np.mean(np.array(p_values) < alpha) <= alpha + 3 * (alpha * (1 - alpha) / trials) ** 0.5


def sample(random, kind, count, fields):
    normal = random.normal(size=(count, fields))
    if kind == "together":
        return random.normal(size=(count, 1)) + 0.3 * normal
    if kind == "heavy":
        return random.standard_t(2, size=(count, fields))
    if kind == "discrete":
        return np.where(random.random((count, fields)) < 0.8, 0.0, random.integers(1, 4, (count, fields)))
    return np.where(random.random((count, fields)) < 0.2, np.nan, normal) if kind == "missing" else normal


def changed(random, shift, count=150):
    """Two fields, one of which moves; they also come apart the more, the larger the shift is."""
    together = 0.8 * (1 - shift)
    a, b = random.normal(size=(2, count))
    return np.stack([a + shift, together * a + (1 - together**2) ** 0.5 * b], axis=1)


def verdicts(detector, shift, trials=60, alpha=0.01):
    random = np.random.default_rng(3)
    pairs = ((changed(random, 0.0, 300), changed(random, shift)) for _ in range(trials))
    return [detector.compare_rows(*pair, alpha).verdict for pair in pairs]


@pytest.mark.parametrize("detector", ALL)
def test_what_is_detectable_shows_in_about_four_of_five_windows(detector):
    shifts = np.linspace(0, 1, 11)
    effects = [np.mean([v.effect for v in verdicts(detector, shift, 12)]) for shift in shifts]
    shown = np.mean([v.detectable for v in verdicts(detector, 0.3, 12)])
    found = verdicts(detector, np.interp(shown, effects, shifts))
    assert 0.6 <= np.mean([v.fired for v in found]) <= 0.97


@pytest.mark.parametrize("detector", ALL)
@pytest.mark.parametrize("shift", [0.0, 0.3, 0.9])
def test_intervals_hold_the_effect_that_such_windows_have_on_average(detector, shift):
    found = verdicts(detector, shift)
    average = np.mean([v.effect for v in found])
    assert np.mean([v.interval[0] <= average <= v.interval[1] for v in found]) >= 0.9


@pytest.mark.parametrize("name", ["energy", "mmd"])
def test_half_an_interval_is_twice_the_spread_of_repeated_samples(name):
    found = verdicts(make(name, {}), 0.9, 200)
    half = np.mean([v.interval[1] - v.effect for v in found])
    assert half == pytest.approx(1.96 * np.std([v.score for v in found]), rel=0.2)
