"""What every registered sequential detector promises; a new one is tested by being registered."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.distribution import Distribution
from detectors import StreamDetector, make
from detectors.sequential import SEQUENTIAL

MADE = {name: make(name) for name in SEQUENTIAL}
ALL = [pytest.param(detector, id=name) for name, detector in MADE.items()]
OF_VALUES = [pytest.param(d, id=n) for n, d in MADE.items() if d.feeds == "values"]

cells = st.sampled_from([0.0, 1.0, 2.0, np.inf, -np.inf, 1e300, -1e300]) | st.floats(-10, 10)


def numbers(values):
    return Distribution.of_numbers(np.array(values, dtype=float))


def started(detector, values=(0.0, 0.0, 1.0, 1.0)):
    state = detector.start(numbers(values))
    assert not isinstance(state, str), state
    return state


def stream(detector, count, seed=0, mean=0.0, rate=0.1):
    random = np.random.default_rng(seed)
    return (random.random(count) < rate) * 1.0 if detector.feeds == "errors" else random.normal(mean, 1, count)


@pytest.mark.parametrize("detector", ALL)
def test_it_is_of_this_protocol(detector):
    assert isinstance(detector, StreamDetector) and detector.feeds in ("values", "errors")


@pytest.mark.parametrize("detector", ALL)
def test_in_one_piece_or_in_many_and_through_json_the_scores_are_the_same(detector):
    jumps = np.concatenate([stream(detector, 300, 1), stream(detector, 200, 2, 3.0, 0.6), stream(detector, 200, 3)])

    @settings(deadline=None, max_examples=25)
    @given(st.lists(cells, max_size=60), st.lists(st.integers(0, 700), max_size=6), st.booleans())
    def law(odd, cuts, jumping):
        values = jumps if jumping else np.tile(np.array(odd, dtype=float), 8)
        if detector.feeds == "errors":
            values = (values > 0.5) * 1.0
        state = start = started(detector)
        whole = detector.update(start, values)
        assert whole.scores.shape == values.shape and not np.isinf(whole.scores).any()
        pieces = []
        for piece in np.split(values, sorted(cut for cut in cuts if cut < len(values))):
            seen = detector.update(json.loads(json.dumps(state, allow_nan=False)), piece)
            state = seen.state
            pieces.append(seen.scores)
        assert np.array_equal(np.concatenate(pieces), whole.scores, equal_nan=True)
        assert json.loads(json.dumps(state)) == json.loads(json.dumps(whole.state))
        assert detector.update(start, values).state == whole.state and start == started(detector)

    law()


@pytest.mark.parametrize("detector", ALL)
def test_what_does_not_change_gives_no_alarm(detector):
    # With the papers' thresholds these two often take chance for a change.
    calm = {MADE["ddm"]: make("ddm", {"drift_threshold": 5.0}), MADE["eddm"]: make("eddm", {"beta": 0.3})}
    detector = calm.get(detector, detector)
    values = stream(detector, 3000)
    seen = detector.update(started(detector, values), values)
    assert np.nanmax(seen.scores) <= detector.threshold


@pytest.mark.parametrize("detector", ALL)
def test_a_gross_change_fires_soon_and_the_detector_begins_anew(detector):
    before, after = stream(detector, 1000), stream(detector, 1000, 1, 4.0, 0.7)
    seen = detector.update(started(detector, before), np.concatenate([before, after]))
    alarms = np.flatnonzero(seen.scores > detector.threshold)
    assert len(alarms[(alarms >= 1000) & (alarms < 1300)])
    if len(alarms) and detector.feeds == "errors":
        assert np.isnan(seen.scores[alarms[-1] + 1 :][:20]).all()


@pytest.mark.parametrize("detector", OF_VALUES)
def test_infinities_fire_when_there_are_some_of_them(detector):
    values = stream(detector, 1000)
    seen = detector.update(started(detector, values), np.append(values, np.full(200, np.inf)))
    assert np.nanmax(seen.scores[1000:]) > detector.threshold


@pytest.mark.parametrize("name", ["adwin", "cusum", "page_hinkley"])
@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_a_reference_without_values_is_said_so(name, values):
    assert "no values" in MADE[name].start(numbers(values))


@pytest.mark.parametrize("name", ["cusum", "page_hinkley"])
def test_an_infinite_reference_is_said_so(name):
    assert "no finite mean" in MADE[name].start(numbers([0.0, np.inf]))


@pytest.mark.parametrize("detector", OF_VALUES)
def test_a_constant_that_stays_is_quiet_and_one_that_moves_fires(detector):
    state = started(detector, [3.0, 3.0])
    quiet = detector.update(state, np.full(300, 3.0))
    assert np.nanmax(quiet.scores) == pytest.approx(0, abs=1e-12)
    assert np.nanmax(detector.update(quiet.state, np.full(300, 3.5)).scores) > detector.threshold


@pytest.mark.parametrize("detector", ALL)
def test_no_value_leaves_the_state_as_it_is(detector):
    state = started(detector)
    seen = detector.update(state, np.zeros(0))
    assert len(seen.scores) == 0 and seen.state == state
