from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import TimeWindows
from core.findings import RowSpan
from core.times import EPOCH
from pipelines.windows.schedule import due_rows, due_times

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
seconds = st.integers(0, 5_000).map(lambda s: NOON + timedelta(seconds=s))


def windows(every: int, over: int | None = None, settle: int = 0) -> TimeWindows:
    length = timedelta(seconds=over) if over else None
    return TimeWindows(every=timedelta(seconds=every), over=length, settle=timedelta(seconds=settle))


def test_a_window_is_due_once_its_end_has_settled() -> None:
    plan = windows(every=300, over=3600, settle=30)
    just_before, then = NOON + timedelta(seconds=329), NOON + timedelta(seconds=330)
    assert list(due_times(plan, NOON, just_before)) == []
    (window,) = due_times(plan, NOON, then)
    assert (window.start, window.end) == (NOON - timedelta(minutes=55), NOON + timedelta(minutes=5))


def test_missed_windows_come_in_order() -> None:
    ends = [w.end for w in due_times(windows(every=60), NOON, NOON + timedelta(minutes=3))]
    assert ends == [NOON + timedelta(minutes=m) for m in (1, 2, 3)]


@settings(deadline=None, max_examples=200)
@given(every=st.integers(1, 700), settle=st.integers(0, 100), ticks=st.lists(seconds, max_size=12), start=seconds)
def test_whatever_the_restarts_every_end_comes_exactly_once(
    every: int, settle: int, ticks: list[datetime], start: datetime
) -> None:
    plan, last, ran = windows(every, settle=settle), start, []
    for now in sorted(ticks):
        for window in due_times(plan, last, now):
            ran.append(window)
            last = window.end
    until = max(ticks, default=start) - timedelta(seconds=settle)
    multiples = (EPOCH + timedelta(seconds=every * n) for n in range(int(start.timestamp()) // every + 1, 2**40))
    expected = []
    for end in multiples:
        if end > until:
            break
        expected.append(end)
    assert [w.end for w in ran] == expected
    assert all(earlier.end == later.start for earlier, later in pairwise(ran))


@settings(deadline=None, max_examples=200)
@given(steps=st.lists(st.integers(0, 3), max_size=20), cut=st.integers(0, 20))
def test_row_windows_have_times_of_their_own_whatever_the_restarts(steps: list[int], cut: int) -> None:
    received, spans = NOON, []
    for n, step in enumerate(steps):
        first, received = received, received + timedelta(microseconds=step)
        spans.append(RowSpan((first, f"{n}a"), (received, f"{n}z")))
    whole = due_rows(spans, EPOCH)
    head = due_rows(spans[:cut], EPOCH)
    tail = due_rows(spans[cut:], head[-1].end if head else EPOCH)
    assert head + tail == whole
    ends = [w.end for w in whole]
    assert ends == sorted(set(ends))
    assert [w.rows for w in whole] == spans
