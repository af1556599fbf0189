"""Sequential detectors against river 0.26.1, SciPy, closed forms and recursions by hand.

The numbers of river are what its detectors said of the streams below, run once by hand: the index after which
`drift_detected` was true. Ours are in deviations of a reference, whose mean and deviation are 0 and 1 here, and within
its 1st and 99th percentile, 0 and 1 here.
"""

import math

import numpy as np
import pytest
from scipy import stats

from core.distribution import Distribution
from detectors.sequential.adwin import ADWIN
from detectors.sequential.cusum import CUSUM
from detectors.sequential.ddm import DDM
from detectors.sequential.eddm import EDDM
from detectors.sequential.kswin import KSWIN
from detectors.sequential.page_hinkley import PageHinkley

UNIT = Distribution.of_numbers(np.array([0.0, 1.0]))
STANDARD = Distribution.of_numbers(np.array([-1.0, 1.0]))
NONE = Distribution.of_numbers(np.zeros(0))


def uniform(seed, count=4000):
    """From a linear congruential generator, so that no library's random numbers are needed."""
    states = [seed]
    for _ in range(count):
        states.append((1103515245 * states[-1] + 12345) % 2**31)
    return np.array(states[1:]) / 2**31


PARTS = np.repeat([0, 1, 2], [1500, 1500, 1000])
WITHIN = np.where(PARTS == 0, 0.5 * uniform(1), np.where(PARTS == 1, 0.3 + 0.5 * uniform(1), 0.1 + 0.3 * uniform(1)))
DEVIATING = math.sqrt(12) * (uniform(1) - 0.5) + np.repeat([0.0, 1.0, -0.5], [2000, 1000, 1000])
ERRORS = (uniform(2) < np.array([0.1, 0.3, 0.15])[PARTS]) * 1.0


def alarms(detector, reference, values):
    return np.flatnonzero(detector.update(detector.start(reference), values).scores > detector.threshold).tolist()


@pytest.mark.parametrize(
    ("detector", "reference", "values", "expected"),
    [
        (PageHinkley(delta=0.1, threshold=20.0), STANDARD, DEVIATING, [588, 1066, 2012, 2377, 3011]),
        (
            PageHinkley(delta=0.005, threshold=30.0, alpha=0.999, mode="up"),
            STANDARD,
            DEVIATING,
            [564, 2007, 2379],
        ),
        # river's ADWIN begins anew after an alarm; its AdaptiveWindowing, as the paper, keeps the newest part.
        (ADWIN(delta=0.002), UNIT, WITHIN, [1567, 1631, 3039, 3071, 3103]),
        (
            ADWIN(delta=0.002, clock=1, max_buckets=3, min_window_length=3, grace_period=5),
            UNIT,
            WITHIN,
            [1538, 1540, 1542, 1546, 1560, 1600, 3033, 3034, 3035, 3036, 3047, 3057, 3064, 3092],
        ),
        (DDM(), NONE, ERRORS, [1623]),
        (DDM(warm_start=100, drift_threshold=2.0), NONE, ERRORS, [223, 788, 916, 1049, 1308, 1516, 1648, 1788]),
        (EDDM(), NONE, ERRORS, [218, 504, 797, 1149, 1501, 1606]),
        (EDDM(beta=0.75), NONE, ERRORS, [1998]),
    ],
)
def test_alarms_come_where_rivers_do(detector, reference, values, expected):
    assert alarms(detector, reference, values) == expected


def test_adwin_keeps_the_window_that_river_keeps():
    window = ADWIN(delta=0.002).update(ADWIN().start(UNIT), WITHIN).state["window"]
    assert window == pytest.approx([1024, 266.26653176879523, 10.335032913060614])


def test_adwins_window_is_that_of_the_newest_values():
    size, total, squares = ADWIN().update(ADWIN().start(UNIT), WITHIN).state["window"]
    newest = WITHIN[-size:]
    assert (total, squares) == pytest.approx((newest.sum(), newest.var() * size))


def test_page_hinkley_is_the_recursion_by_hand():
    test = PageHinkley(delta=0.5, threshold=9.0, alpha=1.0, min_instances=1)
    # Means 1, 0, 1; deviations 0, -1, 2; rise -0.5, -2, -0.5, lowest -2; fall 0.5, 0, 2.5, highest 2.5.
    seen = test.update(test.start(STANDARD), np.array([1.0, -1.0, 3.0]))
    assert seen.scores == pytest.approx([0.0, 0.5, 1.5])


def test_cusum_is_the_recursion_by_hand():
    chart = CUSUM(k=0.5, h=2.0)
    seen = chart.update(chart.start(STANDARD), np.array([1.0, 1.5, -3.0, 1.0, 2.5, 0.6]))
    assert seen.scores == pytest.approx([0.5, 1.5, 2.5, 0.5, 2.5, 0.1])
    assert (seen.state["above"], seen.state["below"]) == pytest.approx((0.1, 0.0))


@pytest.mark.parametrize(("k", "h"), [(0.5, 4.0), (0.25, 6.0)])
def test_false_alarms_of_cusum_are_as_far_apart_as_siegmund_says(k, h):
    b = 2 * k * (h + 1.166)
    apart = (math.exp(b) - b - 1) / (4 * k**2)
    values = np.random.default_rng(0).normal(size=int(150 * apart))
    assert len(values) / len(alarms(CUSUM(k=k, h=h), STANDARD, values)) == pytest.approx(apart, rel=0.3)


def test_kswin_scores_are_scipys_of_the_newest_against_the_older_values():
    values = np.random.default_rng(0).integers(0, 9, 200) + np.random.default_rng(1).choice([0.0, 0.5], 200)
    seen = KSWIN(window_size=50, stat_size=15, alpha=1e-9).update({"window": []}, values).scores
    assert np.isnan(seen[:49]).all()
    for at in range(49, 200):
        window = values[at - 49 : at + 1]
        assert seen[at] == pytest.approx(stats.ks_2samp(window[:35], window[35:]).statistic)


def test_kswin_keeps_the_newest_values_after_an_alarm():
    window = KSWIN(window_size=50, stat_size=15, alpha=0.001)
    values = np.append(np.zeros(100), np.arange(1.0, 10.0))
    seen = window.update(window.start(NONE), values)
    first = int(np.argmax(seen.scores > window.threshold))
    assert first < 109 and np.isnan(seen.scores[first + 1 :]).all()
    assert seen.state["window"][-1] == 9.0 and len(seen.state["window"]) == 15 + 108 - first
    assert isinstance(KSWIN(window_size=20, stat_size=20).start(NONE), str)


def test_ddm_is_its_definition():
    errors = np.array([0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1.0])
    seen = DDM(warm_start=5).update(DDM().start(NONE), errors).scores
    n = np.arange(1, 14)
    p = np.cumsum(errors) / n
    s = np.sqrt(p * (1 - p) / n)
    best = [5 + int(np.argmin((p + s)[5 : at + 1])) for at in range(5, 13)]
    assert np.isnan(seen[:5]).all()
    assert seen[5:] == pytest.approx([(p[a] + s[a] - p[b]) / s[b] for a, b in zip(range(5, 13), best, strict=True)])
