"""Thresholds from history, against closed forms and by simulation."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import ndtr

from core.distribution import Distribution, Floats
from core.findings import Score
from detectors import FieldDetector, make
from pipelines.alarms.calibration import Level, Margin, Shape, Sides, Tail, calibrate, critical, decide, shape, tail

BLOCKS, ROWS = 30, 100


def detector(name: str, **options: object) -> FieldDetector:
    made = make(name, options)
    assert isinstance(made, FieldDetector)
    return made


def numbers(values: Floats) -> Distribution:
    return Distribution.of_numbers(values.ravel())


@pytest.mark.parametrize(("blocks", "alpha"), [(20, 0.001), (40, 0.01), (40, 0.0001), (300, 0.01)])
def test_the_next_block_is_higher_with_the_wanted_probability_at_most(blocks: int, alpha: float) -> None:
    """Of exponential heights whose scale is unknown, on average over what the blocks happened to be."""
    random = np.random.default_rng(0)
    chances = [np.exp(-critical(random.exponential(size=blocks), alpha)) for _ in range(20_000)]
    error = np.std(chances) / np.sqrt(len(chances))
    rank = int(alpha * (blocks + 1))
    wanted = rank / (blocks + 1) if rank else alpha
    assert np.mean(chances) == pytest.approx(wanted, abs=4 * error) and error < wanted / 10


@pytest.mark.parametrize(("name", "exponent"), [("ks", 2), ("psi", 1), ("jensen_shannon", 2)])
def test_a_law_tells_whether_its_score_is_a_difference_or_a_square(name: str, exponent: int) -> None:
    random = np.random.default_rng(0)
    sides = numbers(random.normal(size=3000)), numbers(random.normal(size=300))
    found = shape(detector(name).compare, *sides)
    assert found is not None and found.exponent == exponent and 1 < found.mean < 3


def test_a_threshold_of_the_users_has_no_law_and_stays() -> None:
    random = np.random.default_rng(0)
    sides = Sides(numbers(random.normal(size=3000)), numbers(random.normal(size=300)))
    fixed = detector("psi", threshold=0.2)
    assert shape(fixed.compare, *sides) is None
    margin = Margin(Shape(1, 1), blocks=30, inflation=50, rows=200, gate=9)
    assert decide(fixed.compare, sides, margin, Level(0.01, 99)).threshold == 0.2


def test_a_block_beside_the_whole_scores_as_beside_the_rest() -> None:
    random, ks = np.random.default_rng(0), detector("ks")
    rest, block = random.normal(size=900), random.normal(0.7, 1, 100)
    whole = numbers(np.concatenate([rest, block]))
    law = shape(ks.compare, whole, numbers(block))
    assert law is not None
    beside_rest = ks.compare(numbers(rest), numbers(block), 1e-3)
    found = tail(ks.compare, whole, numbers(block), law)
    assert found is not None and found.score == pytest.approx(beside_rest.score, abs=1e-12)
    assert found.height == pytest.approx(-np.log(beside_rest.p_value), rel=0.1)  # type: ignore[arg-type]
    assert tail(ks.compare, numbers(block), numbers(block), law) is None


@pytest.mark.parametrize(("name", "exponent"), [("ks", 2), ("psi", 1)])
def test_a_raised_threshold_raises_what_was_detectable(name: str, exponent: float) -> None:
    """By simulation: most shifts of that size are found, four of five by the law whose rows are taken away."""
    random, compare = np.random.default_rng(3), detector(name).compare
    reference, margin = numbers(random.normal(size=20_000)), Margin(Shape(exponent, 1.3), 30, 9, 1000, 0.0)
    level = Level(0.01, 5)
    usual = decide(compare, Sides(reference, numbers(random.normal(size=1000))), margin, level)
    law = compare(reference, numbers(random.normal(size=1000)), 0.01)
    assert usual.detectable and law.detectable and usual.detectable > 1.5 * law.detectable
    shifted = (numbers(random.normal(usual.detectable, 1, 1000)) for _ in range(300))
    found = np.mean([decide(compare, Sides(reference, window), margin, level).fired for window in shifted])
    assert 0.6 < found < 1


def test_a_threshold_beyond_every_score_says_that_nothing_can_fire() -> None:
    random, ks = np.random.default_rng(0), detector("ks")
    sides = Sides(numbers(random.normal(size=900)), numbers(random.normal(size=90)))
    said = decide(ks.compare, sides, Margin(Shape(2, 1.3), 20, 40, 80, 0.0), Level(1e-6, 30))
    assert said.threshold and said.threshold > 1 and said.detectable is None and not said.fired
    assert (
        said.reason == "no change would fire: the reference's blocks differ too much, or are too few for so rare alarms"
    )


def test_more_rows_do_not_make_out_what_the_references_own_blocks_show() -> None:
    ks = detector("ks")
    margin = Margin(Shape(2, 1.3), blocks=30, inflation=3, rows=1000, gate=0.0)
    thresholds = []
    for rows in (1e3, 1e5, 1e7, 1e9):
        side = Distribution(np.arange(10.0), np.full(10, rows / 10), 0.0, rows)
        sides = Sides(replace(side, effective_rows=rows * 100), side)
        thresholds.append(decide(ks.compare, sides, margin, Level(0.01, 5)).threshold or 0.0)
    assert all(fewer > more for fewer, more in pairwise(thresholds))
    assert thresholds[-1] == pytest.approx(thresholds[-2], rel=0.01)
    assert decide(ks.compare, sides, margin._replace(gate=0.4), Level(0.01, 5)).threshold == 0.4


@pytest.mark.parametrize(("blocks", "fields", "alpha"), [(20, 1, 0.001), (20, 10, 0.01), (60, 3, 0.001)])
def test_few_blocks_and_many_fields_do_not_break_the_budget_where_levels_vary_normally(
    blocks: int, fields: int, alpha: float
) -> None:
    """Of scores that are nothing but a level's distance from the reference's, on average over references."""
    random, law, chances = np.random.default_rng(0), Shape(1, 1.3), []
    for _ in range(400):
        levels = random.normal(size=(fields, blocks))
        means = levels.mean(axis=1)
        heights = 99 * ((levels - means[:, None]) ** 2) * blocks / (blocks - 1)
        tails = {n: [Tail(height, height, 1.0) for height in heights[n].tolist()] for n in range(fields)}
        known = calibrate(tails, dict.fromkeys(range(fields), law))
        found = np.sqrt([allowed_height(known.margins[n], critical(known.highest, alpha)) / 99 for n in range(fields)])
        outside = ndtr(means - found) + ndtr(-means - found)
        chances.append(1 - np.prod(1 - outside))
    assert np.mean(chances) < 1.2 * alpha
    assert np.mean(chances) > alpha / 20


def allowed_height(margin: Margin, surprise: float) -> float:
    """The height up to which no window fires, by way of a detector whose score is the height itself."""

    def compare(reference: Distribution, window: Distribution, alpha: float) -> Score:
        return Score(0.0, -np.log(alpha), 1.0)

    one = Distribution(np.arange(2.0), np.ones(2), 0.0, 2.0)
    return decide(compare, Sides(one, one), margin, Level(0.5, surprise)).threshold or 0.0


def independent(random: np.random.Generator, blocks: int) -> Floats:
    return random.normal(size=(blocks, ROWS))


def autocorrelated(random: np.random.Generator, blocks: int) -> Floats:
    values, noise = np.empty(blocks * ROWS), random.normal(size=blocks * ROWS) * np.sqrt(1 - 0.8**2)
    values[0] = random.normal()
    for n in range(1, len(values)):
        values[n] = 0.8 * values[n - 1] + noise[n]
    return values.reshape(blocks, ROWS)


def wandering(random: np.random.Generator, blocks: int) -> Floats:
    return independent(random, blocks) + 0.4 * random.normal(size=(blocks, 1))


@pytest.mark.parametrize(("draw", "law_holds"), [(independent, True), (autocorrelated, False), (wandering, False)])
@pytest.mark.parametrize("name", ["ks", "psi"])
def test_unchanged_windows_fire_within_the_budget_whatever_their_rows_have_to_do_with_each_other(
    name: str, draw: object, law_holds: bool
) -> None:
    """Two fields, 5 % a look. The law alone fails where rows depend on each other, so this test can fail."""
    random, compare, windows, alpha = np.random.default_rng(5), detector(name).compare, 8, 0.05
    fired, by_law = [], []
    for _ in range(40):
        fields = [draw(random, BLOCKS + windows) for _ in range(2)]  # type: ignore[operator]
        wholes = [numbers(field[:BLOCKS]) for field in fields]
        laws = [shape(compare, whole, numbers(field[0])) for whole, field in zip(wholes, fields, strict=True)]
        tails = {
            n: [tail(compare, wholes[n], numbers(block), laws[n]) for block in fields[n][:BLOCKS]]  # type: ignore[arg-type]
            for n in range(2)
        }
        known = calibrate(tails, dict(enumerate(laws)))  # type: ignore[arg-type]
        level = Level(alpha / 2, critical(known.highest, alpha))
        for window in range(BLOCKS, BLOCKS + windows):
            sides = [Sides(wholes[n], numbers(fields[n][window])) for n in range(2)]
            fired.append(any(decide(compare, sides[n], known.margins[n], level).fired for n in range(2)))
            by_law.append(any(compare(*s, level.alpha).fired for s in sides))
    error = 2 * np.sqrt(alpha * (1 - alpha) / len(fired))
    assert np.mean(fired) < 1.2 * alpha + error
    assert (np.mean(by_law) < 1.2 * alpha + error) == law_holds
