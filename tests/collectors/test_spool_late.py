"""Rows of days long past gather, so that senders who choose dates do not make a part a second for each of them."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import NOW, exchange, groups

from collectors.building.columns import concat
from collectors.storing.late import LATE_ROWS, LATE_SECONDS, Late
from collectors.storing.spool import Outcomes, Spool
from core.days import DAY_MICROS, by_day, days
from core.errors import StoreUnavailable
from storage.delivery.sink import StoreSink
from storage.engine import Engine

SECOND = 1_000_000


class Counting:
    """Counts the parts that a store would make: one for each day of each insert."""

    def __init__(self) -> None:
        self.inserts: list[list[int]] = []  # the days of each
        self.rows = 0
        self.away = False

    def store(self, predictions: pa.RecordBatch) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.inserts.append(sorted({int(day) for day in days(predictions)}))
        self.rows += len(predictions)

    def store_dead_letters(self, letters: object) -> None: ...

    def store_fields(self, fields: object) -> None: ...

    @property
    def parts(self) -> int:
        return sum(map(len, self.inserts))


def spool_over(sink: Counting | StoreSink, **late: float) -> Spool:
    return Spool(sink, Outcomes(lambda batch: None, lambda letter, rows: None), Late(**late))  # type: ignore[arg-type]


[ROWS] = groups(exchange({"x": np.arange(5.0)}))


def dated(*times: int) -> pa.RecordBatch:
    """A row for each time."""
    rows = ROWS.batch.take(pa.array([0] * len(times)))
    return rows.set_column(0, "time", pa.array(times, pa.int64()).cast(rows.schema.field("time").type))


def ago(number: int) -> int:
    return NOW - number * DAY_MICROS


def test_rows_of_today_and_yesterday_never_wait() -> None:
    spool = spool_over(sink := Counting())
    for second in range(5):
        spool.add(dated(ago(0), ago(1), NOW + 3600 * SECOND))
        spool.drain(NOW + second * SECOND)
        assert (spool.late_rows, sink.rows) == (0, 3 * (second + 1))


def test_older_rows_are_stored_at_once_by_a_store_that_has_little_to_do() -> None:
    spool = spool_over(sink := Counting())
    spool.add(dated(ago(2), ago(100)))
    spool.drain(NOW)
    assert (sink.rows, spool.late_rows, sink.parts) == (2, 0, 2)
    spool.add(dated(ago(2)))
    spool.drain(NOW + SECOND)
    assert spool.late_rows == 1
    spool.drain(NOW + 2 * SECOND)
    assert spool.late_rows == 0


def test_a_row_waits_30_seconds_at_most() -> None:
    spool = spool_over(sink := Counting())
    waited = 0
    for second in range(200):
        spool.add(dated(NOW + second * SECOND))
        spool.add(dated(*(ago(day) for day in range(2, 100))))
        spool.drain(NOW + second * SECOND)
        waited = waited + 1 if spool.late_rows else 0
        assert waited <= LATE_SECONDS
    assert sink.rows + spool.late_rows == 200 * 99


@pytest.mark.parametrize("dates", [1, 5, 25])
def test_a_table_gets_about_a_part_a_second_although_senders_choose_dates(dates: int) -> None:
    chance = random.Random(dates)
    spool = spool_over(sink := Counting())
    seconds = 300
    for second in range(seconds):
        now = NOW + second * SECOND
        spool.add(dated(now, *(ago(2 + chance.randrange(dates)) for _ in range(20))))
        spool.drain(now)
    assert sink.parts <= seconds + dates * (1 + seconds / LATE_SECONDS)
    spool.drain(NOW + (seconds + 31) * SECOND)
    assert sink.rows == 21 * seconds


def test_many_rows_do_not_wait() -> None:
    spool = spool_over(sink := Counting())
    spool.add(dated(NOW))
    spool.drain(NOW)  # from here on the table has had its part
    old = concat([dated(*map(ago, range(2, 102)))] * (LATE_ROWS // 200))
    for held in (LATE_ROWS // 2, 0):
        spool.add(old)
        spool.drain(NOW)
        assert spool.late_rows == held
    assert sink.rows == 1 + 2 * len(old)


def test_everything_is_stored_on_shutdown() -> None:
    spool = spool_over(sink := Counting())
    spool.add(dated(ago(9), NOW))
    spool.drain(NOW)
    assert (spool.late_rows, spool.rows) == (1, 1)
    spool.drain(NOW, everything=True)
    assert (spool.late_rows, spool.rows, spool.bytes, sink.rows) == (0, 0, 0, 2)


def test_late_rows_count_as_memory() -> None:
    sink = Counting()
    spool = Spool(sink, Outcomes(lambda batch: None, lambda letter, rows: None))  # type: ignore[arg-type]
    spool.add(dated(NOW))
    spool.drain(NOW)
    while spool.bytes < 50_000:
        spool.add(dated(ago(9)))
        spool.drain(NOW)
    assert spool.late_rows == sum(map(len, spool.batches)) == spool.rows


def test_a_clock_that_is_set_back_does_not_hold_rows_for_as_long() -> None:
    spool = spool_over(Counting())
    for _ in range(2):
        spool.add(dated(ago(9)))
        spool.drain(NOW)
    spool.drain(NOW - 3600 * SECOND)
    assert spool.late_rows == 0


@given(st.lists(st.tuples(st.lists(st.integers(-1, 400), max_size=6), st.integers(0, 12), st.booleans()), max_size=25))
@settings(deadline=None)
def test_every_row_is_stored_once_however_dates_outages_and_flushes_fall(
    steps: list[tuple[list[int], int, bool]],
) -> None:
    spool = spool_over(sink := Counting(), seconds=10, most_rows=8)
    now, sent = NOW, 0
    for dates, seconds, away in steps:
        now, sink.away = now + seconds * SECOND, away
        if dates:
            spool.add(dated(*map(ago, dates)))
            sent += len(dates)
        try:
            spool.drain(now)
        except StoreUnavailable:
            assert away
        assert sink.rows + spool.rows == sent == sink.rows + sum(map(len, spool.batches))
        assert away or spool.rows == spool.late_rows <= 8
    sink.away = False
    spool.drain(now, everything=True)
    assert (sink.rows, spool.rows, spool.bytes, spool.late_rows) == (sent, 0, 0, 0)


def test_a_real_table_gets_few_parts_of_many_dates(engine: Engine) -> None:
    """Twenty dates in every flush of a minute."""
    engine.command("SYSTEM STOP MERGES predictions")
    spool, flushes = spool_over(StoreSink(engine)), 60
    for second in range(flushes):
        now = NOW + second * SECOND
        spool.add(dated(now, *(ago(2 + date) + second for date in range(20))))
        spool.drain(now)
    spool.drain(NOW + flushes * SECOND, everything=True)
    [found] = engine.rows(
        "SELECT count() AS rows, uniqExact(batch) AS inserts, uniqExact(_part) AS parts FROM predictions"
    )
    assert found["rows"] == 21 * flushes and found["parts"] == found["inserts"]
    assert found["parts"] <= flushes + 20 * (1 + flushes / LATE_SECONDS)


def test_days_come_apart_in_order_and_whole() -> None:
    batch = dated(ago(3), ago(1), ago(3), ago(2))
    assert [days(part).tolist() for part in by_day(batch)] == [
        [int(ago(n) // DAY_MICROS)] * k for n, k in ((3, 2), (2, 1), (1, 1))
    ]
    assert list(by_day(batch.slice(0, 0))) == []
