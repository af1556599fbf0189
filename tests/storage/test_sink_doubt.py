"""An insert whose answer was lost is stored once, and no insert is ever taken for another."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_engine import Fate, ScriptedEngine
from test_sink import NOW, count, rows

from core.days import DAY_MICROS
from core.errors import StoreUnavailable
from core.records import DeadLetter
from storage.delivery.inserts import INSERTS_AT_ONCE, Doubtful
from storage.delivery.sink import StoreSink
from storage.engine import Engine
from storage.engines.embedded import EmbeddedEngine


def store_until_done(sink: StoreSink, batch: Any, tries: int = 9) -> None:
    for _ in range(tries):
        try:
            return sink.store(batch)
        except StoreUnavailable:
            pass
    raise AssertionError("the store never took it")


@pytest.mark.parametrize("window", [10_000, 0], ids=["tokens-known", "tokens-forgotten"])
@pytest.mark.parametrize(
    ("fates", "sent"), [(["lost"], 1), (["away"], 2), (["away", "lost"], 2), (["away", "away"], 3)]
)
def test_an_insert_without_an_answer_is_stored_once(
    store: Engine, engine: EmbeddedEngine, fates: list[Fate], sent: int, window: int
) -> None:
    engine.command(f"ALTER TABLE predictions MODIFY SETTING non_replicated_deduplication_window = {window}")
    scripted = ScriptedEngine(store, fates.copy())
    store_until_done(StoreSink(scripted), rows("a", "b"))
    assert count(engine) == 2
    assert (len(scripted.tokens), len(set(scripted.tokens))) == (sent, 1)


def test_the_inserts_that_did_arrive_are_not_repeated_with_the_one_that_did_not(engine: EmbeddedEngine) -> None:
    engine.command("ALTER TABLE predictions MODIFY SETTING non_replicated_deduplication_window = 0")
    batch = rows(*"abcd", time=[NOW + day * DAY_MICROS for day in range(4)])
    scripted = ScriptedEngine(engine, ["stored", "lost", "away"])
    store_until_done(StoreSink(scripted), batch)
    assert count(engine) == 4


def test_after_one_timeout_the_other_inserts_of_a_call_wait(engine: EmbeddedEngine) -> None:
    scripted = ScriptedEngine(engine, ["away"] * 500)
    batch = rows(*map(str, range(200)), time=[NOW + day * DAY_MICROS for day in range(200)])
    with pytest.raises(StoreUnavailable):
        StoreSink(scripted).store(batch)
    assert len(scripted.tokens) <= INSERTS_AT_ONCE


def test_rows_that_another_insert_replaced_meanwhile_are_inserted_again(engine: EmbeddedEngine) -> None:
    sink = StoreSink(scripted := ScriptedEngine(engine, ["lost"]))
    with pytest.raises(StoreUnavailable):
        sink.store(rows("a", "b"))
    StoreSink(engine).store(rows("a", received=[NOW + 1]))
    engine.command("OPTIMIZE TABLE predictions FINAL")
    sink.store(rows("a", "b"))
    assert len(scripted.tokens) == 2
    assert engine.rows("SELECT id FROM predictions FINAL ORDER BY id") == [{"id": "a"}, {"id": "b"}]


def test_the_same_rows_in_another_insert_are_stored_however_often_they_come(engine: EmbeddedEngine) -> None:
    """After a partition was dropped by mistake, the log is all there is."""
    sink = StoreSink(engine)
    sink.store(rows("a", "b"))
    engine.command("TRUNCATE TABLE predictions")
    sink.store(rows("a", "b"))
    assert count(engine) == 2


def test_letters_are_stored_once_although_they_never_collapse(store: Engine, engine: EmbeddedEngine) -> None:
    letters = [DeadLetter(NOW + day * DAY_MICROS, "api", "bad_json", "", "", b"?") for day in (0, 0, 1)]
    sink = StoreSink(ScriptedEngine(store, ["lost", "stored"]))
    with pytest.raises(StoreUnavailable):
        sink.store_dead_letters(letters)
    sink.store_dead_letters(letters)
    assert engine.rows("SELECT count() AS n FROM dead_letters") == [{"n": 3}]
    sink.store_dead_letters([replace(letter, letter=f"other-{n}") for n, letter in enumerate(letters)])
    assert engine.rows("SELECT count() AS n FROM dead_letters") == [{"n": 6}]


# Contents are few, so that equal ones meet: the same rows, other columns of the same rows, other rows.
CONTENTS = [{}, {"status": [500, 500]}, {"tags": [[("k", "v")], []]}, {"content": [1, 2]}, {"received": [NOW + 1, NOW]}]
FATES: st.SearchStrategy[list[Fate]] = st.lists(st.sampled_from(["away", "lost"]), max_size=3)


@given(st.lists(st.tuples(st.sampled_from(range(len(CONTENTS))), FATES), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_insert_is_stored_exactly_once_whatever_happens_to_its_tries(
    engine: EmbeddedEngine, calls: list[tuple[int, list[Fate]]]
) -> None:
    engine.command("TRUNCATE TABLE predictions")
    engine.command("SYSTEM STOP MERGES predictions")
    scripted = ScriptedEngine(engine)
    sink = StoreSink(scripted)
    for content, fates in calls:
        scripted.fates = fates.copy()
        store_until_done(sink, rows("a", "b", **CONTENTS[content]))
    assert count(engine) == 2 * len(calls)
    assert engine.rows("SELECT uniqExact(batch) AS n FROM predictions") == [{"n": len(calls)}]


def test_what_is_remembered_of_doubtful_inserts_is_bounded() -> None:
    doubtful = Doubtful(most=3)
    for number in range(5):
        doubtful.remember([(rows(str(number)), number)])
    assert [doubtful.take(rows(id)) for id in "012344"] == [None, None, 2, 3, 4, None]
