"""Rows the store refuses are told apart from their neighbours, at a bounded cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import NOW, exchange, groups, half

from collectors.building.exchanges import Exchange
from collectors.storing.late import Late
from collectors.storing.spool import LETTERS_PER_INSERT, MOST_DIVISIONS, Outcomes, Spool
from core.days import DAY_MICROS
from core.errors import StoreError, StoreUnavailable
from core.records import DeadLetter
from storage.delivery.sink import StoreSink
from storage.engine import Engine


@dataclass
class Fussy:
    """A store in memory that refuses some rows and letters, and is away at some of its calls."""

    refused: Callable[[str], bool] = lambda id: False
    away: set[int] = field(default_factory=set)
    calls: int = 0
    ids: list[str] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    def store(self, predictions: pa.RecordBatch) -> None:
        ids = predictions.column("id").to_pylist()
        self._check(ids)
        self.ids += ids

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self._check([letter.id for letter in letters])
        self.letters += letters

    def store_fields(self, fields: object) -> None: ...

    def _check(self, ids: list[str]) -> None:
        self.calls += 1
        if self.calls in self.away:
            raise StoreUnavailable("away")
        if any(map(self.refused, ids)):
            raise StoreError("violated", 469)


@dataclass
class Told:
    """What the spool says of each row."""

    stored: list[str] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    def outcomes(self) -> Outcomes:
        return Outcomes(lambda batch: self.stored.extend(batch.column("id").to_pylist()), self._refuse)

    def _refuse(self, letter: DeadLetter, rows: int) -> None:
        assert len(held(letter)) == rows
        self.letters.append(letter)

    @property
    def refused(self) -> list[str]:
        return [id for letter in self.letters for id in held(letter)]


def held(letter: DeadLetter) -> list[str]:
    ids: list[str] = pa.ipc.open_stream(letter.body).read_all().column("id").to_pylist()
    return ids


def batch(rows: int, id: str = "r") -> pa.RecordBatch:
    """Ids `<id>-0`, `<id>-1`, …"""
    [group] = groups(exchange({"x": np.arange(float(rows))}, id=id))
    return group.batch


def number(id: str) -> int:
    return int(id.split("-")[1])


def drained(spool: Spool) -> None:
    """Flushes until the store takes everything."""
    for _ in range(100):
        try:
            return spool.drain(NOW, everything=True)
        except StoreUnavailable:
            pass
    raise AssertionError("never drained")


@given(
    st.integers(2, 300),
    st.sets(st.integers(0, 299), max_size=12),
    st.sets(st.integers(1, 150), max_size=20),
)
@settings(deadline=None, max_examples=60)
def test_few_bad_rows_become_letters_and_every_other_row_is_stored_once(
    rows: int, bad: set[int], away: set[int]
) -> None:
    sink, told = Fussy(lambda id: number(id) in bad, away), Told()
    spool = Spool(sink, told.outcomes())
    spool.add(batch(rows))
    drained(spool)
    expected = {f"r-{n}" for n in bad if n < rows}
    assert (sorted(told.refused), sorted(told.stored)) == (
        sorted(expected),
        sorted({f"r-{n}" for n in range(rows)} - expected),
    )
    assert sorted(sink.ids) == sorted(told.stored)
    assert (spool.rows, spool.bytes, spool.batches) == (0, 0, [])
    assert {letter.reason for letter in told.letters} <= {"store_refused"}


@pytest.mark.parametrize("rows", [1, 2, 999, 200_000])
def test_a_batch_of_bad_rows_only_costs_a_bounded_number_of_inserts(rows: int) -> None:
    sink, told = Fussy(lambda id: True), Told()
    spool = Spool(sink, told.outcomes())
    spool.add(batch(rows, "bad"))
    spool.drain(NOW)
    assert sink.calls <= min(2 * rows, 2 * MOST_DIVISIONS + 1)
    assert (sorted(told.refused), told.stored) == (sorted(batch(rows, "bad").column("id").to_pylist()), [])
    assert spool.bytes == spool.rows == 0


def test_more_bad_rows_than_can_be_told_apart_cost_only_their_nearest_neighbours() -> None:
    """Every thousandth of 200,000 rows."""
    sink, told = Fussy(lambda id: number(id) % 1000 == 0), Told()
    spool = Spool(sink, told.outcomes())
    spool.add(batch(200_000))
    spool.drain(NOW)
    assert len(told.refused) + len(told.stored) == 200_000
    assert {f"r-{n}" for n in range(0, 200_000, 1000)} <= set(told.refused)
    assert sink.calls <= 2 * MOST_DIVISIONS + 1
    assert len(told.stored) > 20_000


def test_bad_rows_of_one_insert_do_not_use_up_the_patience_for_the_next() -> None:
    sink, told = Fussy(lambda id: id.startswith("bad") or id == "good-777"), Told()
    spool = Spool(sink, told.outcomes())
    for id in ("bad", "good"):
        spool.add(batch(150_000, id))
        spool.drain(NOW)
    assert [id for id in told.refused if id.startswith("good")] == ["good-777"]


def test_a_letter_holds_rows_of_one_source_and_model() -> None:
    """Those that read letters, and the ledger, go by what a letter says of itself."""
    told = Told()
    spool = Spool(Fussy(lambda id: True), told.outcomes())
    for number in range(40):
        for model in ("m", "n"):
            key = half().key._replace(model=model, request_id=f"{model}{number}")
            request = half(x=np.arange(40.0))._replace(key=key, source=f"tap{number % 2}")
            spool.add(groups(Exchange(request, None))[0].batch)
    spool.drain(NOW)
    assert len(told.refused) == 40 * 2 * 40
    for letter in told.letters:
        rows = pa.ipc.open_stream(letter.body).read_all()
        assert set(rows.column("model").to_pylist()) == {letter.model}
        assert set(rows.column("source").to_pylist()) == {letter.source}


@pytest.mark.parametrize("bad", [set(), {0}, {999}, {3, 500, 501}, set(range(40, 60))], ids=len)
def test_a_letter_that_cannot_be_stored_costs_no_other(bad: set[int]) -> None:
    sink = Fussy(lambda id: number(id) in bad, away={1, 4, 9})
    spool = Spool(sink, Told().outcomes())
    for n in range(LETTERS_PER_INSERT + 200):
        spool.add_letter(DeadLetter(NOW, "api", "x", "", "", b"12", id=f"l-{n}"))
    drained(spool)
    assert [letter.id for letter in sink.letters] == [f"l-{n}" for n in range(1200) if n not in bad]
    assert spool.bytes == 0


def test_letters_tried_again_are_the_same_insert_although_more_have_come() -> None:
    sizes: list[int] = []

    class Watching(Fussy):
        def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
            sizes.append(len(letters))
            super().store_dead_letters(letters)

    spool = Spool(Watching(away={1}), Told().outcomes())
    for _ in range(2):
        spool.add_letter(DeadLetter(NOW, "api", "x", "", "", b""))
        drained(spool)
        spool.add_letter(DeadLetter(NOW, "api", "x", "", "", b""))
    assert sizes[:2] == [1, 1]


def test_a_real_store_that_refuses_rows_keeps_all_others_and_the_bytes_of_those(engine: Engine) -> None:
    engine.command("ALTER TABLE predictions ADD CONSTRAINT mine CHECK id NOT IN ('r-7', 'r-500') OR model != 'm'")
    told, sent = Told(), batch(1000)
    spool = Spool(StoreSink(engine), told.outcomes())
    times = pa.array([NOW - n % 3 * DAY_MICROS for n in range(1000)], pa.int64())
    spool.add(sent.set_column(0, "time", times.cast(sent.schema.field("time").type)))
    spool.drain(NOW, everything=True)
    assert sorted(told.refused) == ["r-500", "r-7"]
    assert "Constraint `mine`" in told.letters[0].detail
    stored = engine.arrow("SELECT id FROM predictions").column("id").to_pylist()
    assert sorted(stored) == sorted({f"r-{n}" for n in range(1000)} - {"r-7", "r-500"})
    row = pa.ipc.open_stream(told.letters[0].body).read_all().to_pylist(maps_as_pydicts="strict")[0]
    assert row["inputs_num"] == {"x": float(number(row["id"]))}


def test_rows_that_were_late_are_told_apart_too() -> None:
    sink, told = Fussy(lambda id: id == "r-3"), Told()
    spool = Spool(sink, told.outcomes(), Late(seconds=30))
    spool.add(batch(10))
    spool.drain(NOW + 100 * DAY_MICROS)
    assert told.refused == ["r-3"] and len(sink.ids) == 9
