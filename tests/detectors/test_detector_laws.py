"""What every registered detector promises; a new one is tested by being registered."""

import doctest
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import detectors
from core.distribution import Distribution
from core.errors import ConfigError
from detectors import DETECTORS, FieldDetector, JointDetector, RowDetector, StreamDetector, make

MADE = {name: make(name) for name in DETECTORS}
FIELD = [
    pytest.param(d, kind, id=f"{n}-{kind}")
    for n, d in MADE.items()
    if hasattr(d, "kinds")
    for kind in sorted(d.kinds)  # in the same order each time: tests run side by side
]
ROW = [pytest.param(d, id=n) for n, d in MADE.items() if isinstance(d, RowDetector)]
# What is not under a law that nearly all are under; each of these has tests of its own.
UNBOUNDED = {"anderson_darling", "cramer_von_mises", "energy_distance", "g_test", "kullback_leibler", "psi"}
UNBOUNDED |= {"wasserstein", "welch_t"}
OF_VALUES = {"energy_distance", "wasserstein", "welch_t"}  # not of ranks or shares: missing and infinite have none
OF_SHARES = {"missing_rate", "range_violations", "type_violations", "unseen_categories"}
ALPHAS = st.sampled_from([0.2, 0.05, 0.05 / 30, 1e-6])

cells = st.sampled_from([0.0, 1.0, 2.0, np.inf, -np.inf, np.nan, 1e300, -1e300]) | st.floats(allow_nan=False)
weights = st.floats(0.01, 1000.0)


def name_of(detector):
    return next(name for name, made in MADE.items() if made is detector)


def without(*names):
    """Cases of all field detectors but these."""
    return [case for case in FIELD if name_of(case.values[0]) not in names]


def of_numbers(rows):
    return distribution("num", rows)


def distribution(kind, rows, weights=None):
    """Rows as numbers, or as their texts; NaN is missing."""
    numbers = Distribution.of_numbers(np.array(rows, dtype=float), weights)
    if kind == "num":
        return numbers
    names = [repr(value + 0.0) for value in numbers.values]  # 0.0 and -0.0 are one number
    named = Distribution.of_categories(names, numbers.counts, numbers.missing, numbers.effective_rows)
    order = sorted(range(len(names)), key=names.__getitem__)
    return named if numbers.squares is None else replace(named, squares=numbers.squares[order])


@st.composite
def distributions(draw, kind):
    rows = draw(st.lists(cells, max_size=60))
    weighted = draw(st.booleans())
    given_weights = draw(st.lists(weights, min_size=len(rows), max_size=len(rows))) if weighted else None
    return distribution(kind, rows, None if given_weights is None else np.array(given_weights))


def test_every_file_is_a_line_in_the_registry_and_every_line_a_file():
    folder = Path(detectors.__file__).parent
    families = [path for path in folder.iterdir() if path.is_dir() and path.name != "adapters"]  # tested beside theirs
    files = {f"detectors.{family.name}.{path.stem}" for family in families for path in family.glob("[!_]*.py")}
    assert {cls.__module__ for cls in DETECTORS.values()} == files
    assert all(cls.__module__.endswith(f".{name}") for name, cls in DETECTORS.items())


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_is_of_one_protocol_and_its_example_runs(name):
    protocols = (FieldDetector, RowDetector, JointDetector, StreamDetector)
    assert sum(isinstance(MADE[name], protocol) for protocol in protocols) == 1
    ran = doctest.testmod(sys.modules[DETECTORS[name].__module__], raise_on_error=False)
    assert ran.attempted > 0 and ran.failed == 0


@pytest.mark.parametrize("name", DETECTORS)
def test_an_unknown_option_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=f"detector '{name}' has no option 'nonsense'"):
        make(name, {"nonsense": 1})


@pytest.mark.parametrize(("detector", "kind"), FIELD)
def test_any_two_distributions_are_compared_consistently_and_twice_alike(detector, kind):
    @settings(deadline=None, max_examples=60)
    @given(distributions(kind), distributions(kind), ALPHAS)
    def law(reference, window, alpha):
        score = detector.compare(reference, window, alpha)
        assert score == detector.compare(reference, window, alpha)
        if score.score is None:
            assert score.reason and (score.threshold, score.p_value, score.effect) == (None, None, None)
            return
        assert 0 <= score.score <= (1e300 if name_of(detector) in UNBOUNDED else 1 + 1e-12)
        assert 0 <= score.p_value <= 1 and score.threshold > 0
        assert score.fired == (score.p_value < alpha)
        low, high = score.interval or (score.effect, score.effect)
        assert score.effect is None or (np.isfinite([low, high]).all() and low <= score.effect <= high)
        assert score.detectable is None or 0 <= score.detectable < np.inf

    law()


@pytest.mark.parametrize(("detector", "kind"), FIELD)
def test_what_has_not_changed_never_fires(detector, kind):
    @settings(deadline=None, max_examples=30)
    @given(distributions(kind), ALPHAS)
    def law(reference, alpha):
        score = detector.compare(reference, reference, alpha)
        assert not score.fired
        assert score.score is None or score.score == pytest.approx(0, abs=1e-7)

    law()


@pytest.mark.parametrize(("detector", "kind"), without("fisher", "missing_rate", "type_violations"))
def test_a_gross_shift_fires(detector, kind):
    rows = np.random.default_rng(0).integers(0, 8, 400).astype(float)
    score = detector.compare(distribution(kind, rows), distribution(kind, rows + 6), 0.001)
    assert score.fired and score.interval and score.interval[0] > 0.2
    assert 0 < score.detectable < score.effect


@pytest.mark.parametrize(("detector", "kind"), [case for case in FIELD if case.values[1] == "num"])
@pytest.mark.parametrize("shape", ["normal", "few"])
def test_the_unit_of_numbers_does_not_matter(detector, kind, shape):
    random = np.random.default_rng(4)
    reference, window = random.normal(size=80), random.normal(0.5, 1, 50)
    if shape == "few":
        reference, window = reference.round(), window.round()
    one, other = (
        detector.compare(*(distribution("num", side * scale + shift) for side in (reference, window)), 0.01)
        for scale, shift in ((1.0, 0.0), (4.0, 256.0))
    )
    assert one.p_value == pytest.approx(other.p_value, rel=1e-6)
    assert one.score / one.threshold == pytest.approx(other.score / other.threshold, rel=1e-6)
    assert one.effect == pytest.approx(other.effect, rel=1e-6)
    assert (one.detectable or 0) == pytest.approx(other.detectable or 0, rel=1e-5)


@pytest.mark.parametrize("name", sorted(OF_VALUES))
def test_distances_and_means_leave_missing_values_out_and_say_where_there_is_nothing_to_measure(name):
    rows, gaps = np.arange(60.0), np.append(np.arange(60.0), np.full(30, np.nan))
    whole, part = (MADE[name].compare(of, distribution("num", rows + 9), 0.05) for of in map(of_numbers, (rows, gaps)))
    assert (part.score, part.p_value) == pytest.approx((whole.score, whole.p_value), rel=1e-9)
    for bad, said in (([np.nan] * 9, "missing in the window"), ([1.0, 2.0, np.inf], "infinite")):
        assert said in MADE[name].compare(of_numbers(rows), of_numbers(np.array(bad)), 0.05).reason


@pytest.mark.parametrize(("detector", "kind"), without("fisher", *OF_VALUES, *OF_SHARES - {"missing_rate"}))
def test_values_that_go_missing_fire(detector, kind):
    rows = np.random.default_rng(0).integers(0, 8, 400).astype(float)
    gaps = np.where(np.arange(400) % 3, rows, np.nan)
    for reference, window in ((rows, gaps), (gaps, rows), (rows, np.full(400, np.nan))):
        assert detector.compare(distribution(kind, reference), distribution(kind, window), 0.001).fired


@pytest.mark.parametrize(("detector", "kind"), FIELD)
@pytest.mark.parametrize("few", [[], [1.0]])
def test_no_row_and_one_row_are_undecidable_with_a_reason(detector, kind, few):
    many = distribution(kind, np.arange(100.0))
    for pair in ((distribution(kind, few), many), (many, distribution(kind, few))):
        score = detector.compare(*pair, 0.05)
        assert score.score is None and "fewer than" in score.reason and not score.fired


@pytest.mark.parametrize(("detector", "kind"), FIELD)
@pytest.mark.parametrize("value", [3.0, np.nan, np.inf])
def test_a_constant_that_stays_scores_zero_and_says_so(detector, kind, value):
    constant = distribution(kind, np.full(50, value))
    score = detector.compare(constant, constant, 0.05)
    assert not score.score and not score.fired and score.reason
    if name_of(detector) not in OF_VALUES | OF_SHARES:
        assert score.score == 0


@pytest.mark.parametrize(("detector", "kind"), without("welch_t", *OF_SHARES))
def test_a_constant_that_moves_fires(detector, kind):
    score = detector.compare(distribution(kind, np.full(50, 3.0)), distribution(kind, np.full(50, 4.0)), 0.001)
    assert score.fired and "constant" in score.reason


@pytest.mark.parametrize(("detector", "kind"), without("type_violations"))
def test_numbers_against_categories_are_undecidable(detector, kind):
    one, other = distribution("num", np.arange(50.0)), distribution("cat", np.arange(50.0))
    assert detector.compare(one, other, 0.05).reason == "the reference holds numbers, the window categories"


@pytest.mark.parametrize(("detector", "kind"), FIELD)
@pytest.mark.parametrize(("reference_rows", "window_rows"), [(60, 60), (400, 100)])
def test_false_alarms_are_not_above_nominal_on_fields(detector, kind, reference_rows, window_rows):
    random, alarms, trials = np.random.default_rng(7), 0, 100
    for _ in range(trials):
        reference, window = random.normal(size=reference_rows), random.normal(size=window_rows)
        if kind == "cat":
            reference, window = reference.round(), window.round()
        alarms += detector.compare(distribution(kind, reference), distribution(kind, window), 0.05).fired
    assert alarms <= most_alarms(trials)


@pytest.mark.parametrize("detector", ROW)
def test_any_rows_are_scored_consistently_and_twice_alike(detector):
    tables = st.integers(0, 12).flatmap(
        lambda n: st.lists(st.lists(cells, min_size=2, max_size=2), min_size=n, max_size=n)
    )

    @settings(deadline=None, max_examples=25)
    @given(tables, tables, ALPHAS)
    def law(reference, window, alpha):
        rows = [np.array(table, dtype=float).reshape(-1, 2) for table in (reference, window)]
        found, again = detector.score(*rows, alpha), detector.score(*rows, alpha)
        assert np.array_equal(found.scores, again.scores, equal_nan=True) and found.verdict == again.verdict
        assert found.scores.shape == (len(window),)
        if found.verdict.score is None:
            assert found.verdict.reason and found.threshold == np.inf and np.isnan(found.scores).all()
            return
        assert np.isfinite(found.scores).all() and np.isfinite(found.threshold)
        assert found.verdict.score == (found.scores > found.threshold).mean()
        assert found.verdict.fired == (found.verdict.p_value < alpha)

    law()


@pytest.mark.parametrize("detector", ROW)
@pytest.mark.parametrize("shift", [20.0, np.inf])
def test_grossly_shifted_rows_are_outliers_and_fire(detector, shift):
    random = np.random.default_rng(3)
    reference, window = random.normal(size=(600, 4)), random.normal(size=(100, 4))
    window[:10] += shift
    found = detector.score(reference, window, 0.001)
    assert (found.scores[:10] > found.threshold).all() and found.verdict.fired
    assert found.verdict.score == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("detector", ROW)
def test_constant_collinear_and_missing_columns_do_no_harm(detector):
    random = np.random.default_rng(3)
    one = random.normal(size=(500, 1))
    rows = np.hstack([one, 2 * one, np.full((500, 1), 7.0), np.full((500, 1), np.nan)])
    rows[::5, 0] = np.nan
    found = detector.score(rows[:400], rows[400:], 0.001)
    assert found.verdict.score is not None and not found.verdict.fired


@pytest.mark.parametrize("detector", ROW)
@pytest.mark.parametrize(
    ("reference", "window", "said"),
    [
        (np.zeros((0, 2)), np.ones((5, 2)), "the reference has 0 rows"),
        (np.zeros((1, 2)), np.ones((5, 2)), "the reference has 1 rows"),
        (np.zeros((50, 2)), np.ones((5, 2)), "constant"),
        (np.full((50, 2), np.nan), np.ones((5, 2)), "missing"),
        (np.arange(100.0).reshape(50, 2), np.zeros((0, 2)), "the window has no rows"),
    ],
)
def test_nothing_to_learn_from_or_to_score_is_undecidable_with_a_reason(detector, reference, window, said):
    found = detector.score(reference, window, 0.05)
    assert found.verdict.score is None and said in found.verdict.reason and not found.verdict.fired
    assert found.scores.shape == (len(window),)


@pytest.mark.parametrize("name", [n for n, d in MADE.items() if isinstance(d, RowDetector)])
def test_false_alarms_are_not_above_nominal_on_rows(name):
    detector = make(name, {"contamination": 0.1, **({"trees": 10} if name == "isolation_forest" else {})})
    random, trials = np.random.default_rng(5), 100
    alarms = 0
    for _ in range(trials):
        rows = random.normal(size=(260, 3))
        alarms += detector.score(rows[:200], rows[200:], 0.05).verdict.fired
    assert alarms <= most_alarms(trials)


def most_alarms(trials):
    """Three standard deviations above the 5 % expected."""
    return trials * 0.05 + 3 * (trials * 0.05 * 0.95) ** 0.5
