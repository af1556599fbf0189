"""Where the blocks of a reference are."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from core.config import SeasonReference
from core.findings import Window
from pipelines.alarms.history import MOST_BLOCKS, anchored, blocks, season, seasons, spread

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


def test_a_moving_reference_is_cut_anew_only_when_it_has_moved_by_a_sixteenth() -> None:
    ends = [MONDAY + n * timedelta(minutes=5) for n in range(2016)]  # a week of them
    found = {anchored(Window(end - WEEK, end), timedelta(minutes=5)) for end in ends}
    assert len(found) in (16, 17) and all(whole.end - whole.start == WEEK for whole in found)
    for end in ends:
        assert timedelta(0) <= end - anchored(Window(end - WEEK, end), timedelta(minutes=5)).end < WEEK / 16


def test_blocks_of_the_next_cut_begin_as_those_of_the_one_before() -> None:
    cuts = {anchored(Window(MONDAY + n * HOUR - WEEK, MONDAY + n * HOUR), HOUR) for n in range(168)}
    assert 14 <= len(cuts) <= 17
    assert all(not (block.end - MONDAY) % HOUR for whole in cuts for block in blocks(whole, HOUR))


def test_blocks_do_not_overlap_and_lie_within_the_whole() -> None:
    found = blocks(Window(MONDAY, MONDAY + DAY + HOUR / 2), HOUR)
    assert len(found) == 24 and found[0].end == MONDAY + DAY + HOUR / 2
    assert all(later.start == earlier.end for later, earlier in pairwise(found))
    many = blocks(Window(MONDAY, MONDAY + 1000 * HOUR), HOUR)
    assert len(many) == MOST_BLOCKS and many[-1].start < MONDAY + 10 * HOUR


def test_spread_takes_all_of_few_and_evenly_of_many() -> None:
    assert spread(3) == [0, 1, 2] and spread(0) == [] and spread(10, 5) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    ("same", "first"),
    [
        ("hour_of_day", Window(MONDAY + 8 * HOUR - DAY, MONDAY + 9 * HOUR - DAY)),
        ("hour_of_week", Window(MONDAY + 8 * HOUR - WEEK, MONDAY + 9 * HOUR - WEEK)),
        ("day_of_week", Window(MONDAY - WEEK, MONDAY + DAY - WEEK)),
    ],
)
def test_a_season_is_the_same_stretch_of_each_period_before(same: str, first: Window) -> None:
    reference = SeasonReference.model_validate({"same": same, "over": "8w"})
    found = season(Window(MONDAY + 8 * HOUR, MONDAY + 9 * HOUR), reference)
    assert found[0] == first and len(found) == (56 if same == "hour_of_day" else 8)
    assert all(later.start - earlier.start == reference.period for later, earlier in pairwise(found))


@pytest.mark.parametrize("same", ["hour_of_day", "day_of_week", "hour_of_week"])
def test_seasons_are_spread_over_the_period_before_and_have_blocks_enough(same: str) -> None:
    reference = SeasonReference.model_validate({"same": same, "over": "8w"})
    window = Window(MONDAY + 8 * HOUR, MONDAY + 9 * HOUR)
    found = seasons(window, reference, HOUR)
    periods = reference.over // reference.period
    assert 20 <= len(found) * periods <= MOST_BLOCKS
    assert all(window.start - 2.1 * reference.period < at.start and at.end <= window.start for at in found)
    assert found == seasons(Window(window.start + HOUR / 60, window.end + HOUR / 60), reference, HOUR)
