"""Times lose nothing above a microsecond, and a text is a time or an error, never a guess."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.times import duration, duration_text, from_micros, micros, rfc3339, to_micros

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1900, 1, 2), datetime(2299, 12, 30), timezones=ZONES)


@given(MOMENTS)
def test_a_moment_comes_back_from_its_text_whatever_its_zone(moment: datetime) -> None:
    assert from_micros(micros(rfc3339(moment))) == moment
    assert micros(moment.isoformat()) == to_micros(moment)


@given(st.integers(-(10**15), 10**16))
def test_microseconds_come_back_exactly(value: int) -> None:
    assert to_micros(from_micros(value)) == value


@given(MOMENTS, MOMENTS)
def test_texts_sort_as_their_moments_do(one: datetime, other: datetime) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-22T13:48:48Z", "2026-11-22T13:48:48.000000Z"),
        ("2026-11-22t13:48:48z", "2026-11-22T13:48:48.000000Z"),
        ("2026-11-22 13:48:48.5Z", "2026-11-22T13:48:48.500000Z"),
        ("2026-11-22T13:48:48.123456789Z", "2026-11-22T13:48:48.123456Z"),
        ("2026-11-22T13:48:48.999999999Z", "2026-11-22T13:48:48.999999Z"),
        ("2026-11-22T13:48:48.123456789+05:30", "2026-11-22T08:18:48.123456Z"),
        ("2026-11-22T00:30:00-08:00", "2026-11-22T08:30:00.000000Z"),
        ("2026-11-22T13:48:48", "2026-11-22T13:48:48.000000Z"),
    ],
)
def test_rfc3339_with_nanoseconds_and_offsets(text: str, meant: str) -> None:
    assert rfc3339(from_micros(micros(text))) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1763819328",
        "2026-11-22",
        "20261122T134848Z",
        "2026-W47-7",
        "2026-02-30T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T13:48:48+99:00",
        "2026-11-22T13:48:48Z\n",
        "٢٠٢٦-11-22T13:48:48Z",
    ],
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        micros(text)


def test_a_moment_without_a_zone_is_utc_on_every_machine() -> None:
    naive, aware = datetime(2026, 11, 22, 13, 48), datetime(2026, 11, 22, 13, 48, tzinfo=UTC)
    assert to_micros(naive) == to_micros(aware)
    assert rfc3339(naive) == rfc3339(aware) == "2026-11-22T13:48:00.000000Z"


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_durations_parts_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    meant = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert duration(f"{days}d{hours}h{minutes}m{seconds}s") == meant


@pytest.mark.parametrize("text", ["", "5", "s", "5x", "5 s", "-5s", "1.5h", "5s ", "٣s", f"{'9' * 30}w"])
def test_a_text_that_is_no_duration_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="'"):
        duration(text)


def test_a_week_is_seven_days() -> None:
    assert duration("8w") == timedelta(days=56)


@given(st.integers(0, 10**9))
def test_a_duration_is_read_back_as_it_was_written(seconds: int) -> None:
    assert duration(duration_text(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
