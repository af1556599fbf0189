"""Which minutes get their states made anew, whatever comes when."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profiled_rows import DAY, HOUR, LATER, MINUTE, MODEL, NOON, counted, merged, numbers, states, store, told

from core.findings import Window
from storage.engine import Engine
from storage.profiles.profiler import Profiler
from storage.windows.distributions import Field
from storage.windows.relations import of_window

TABLES = ("profiles_minute", "profiles_hour", "profiles_day")
SECONDS = timedelta(seconds=1)


def revisions(engine: Engine) -> dict[str, int]:
    rows = engine.rows(
        "SELECT toString(start) AS at, max(revision) AS newest FROM profiles_minute WHERE role = '' GROUP BY at"
    )
    return {row["at"][-8:-3]: row["newest"] for row in rows}


def all_states(engine: Engine) -> list[list[dict[str, Any]]]:
    return [states(engine, table) for table in TABLES]


@pytest.fixture
def rows(engine: Engine) -> Iterator[pa.Table]:
    """450 predictions of an hour and two versions, some with a tag and a weight."""
    chance = random.Random(1)
    many = store(
        engine,
        timedelta(seconds=8),
        inputs_num=[[("a", chance.gauss(0, 1)), ("b", float(n % 2))] for n in range(450)],
        inputs_cat=[[("c", chance.choice("xyz"))] for n in range(450)],
        version=[chance.choice("12") for n in range(450)],
        weight=[chance.choice([1.0, 10.0]) for n in range(450)],
        tags=[[("country", "DE")] if n % 3 else [] for n in range(450)],
    )
    engine.command("TRUNCATE TABLE predictions")
    return many


@settings(deadline=None, max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), pieces=st.integers(1, 5))
def test_back_fill_and_live_give_the_same_states_to_the_bit(
    engine: Engine, rows: pa.Table, seed: int, pieces: int
) -> None:
    chance, now = random.Random(seed), NOON + HOUR
    for table in (*TABLES, "profile_progress", "predictions"):
        engine.command(f"TRUNCATE TABLE {table}")
    order = chance.sample(range(450), 450)
    profiler = Profiler(engine, {MODEL: ["country"]})
    for piece in range(pieces):
        again = chance.sample(order, 40)  # what is sent twice changes nothing
        engine.insert("predictions", rows.take(pa.array(order[piece::pieces] + again)))
        if chance.random() < 0.3:
            engine.command("OPTIMIZE TABLE predictions FINAL")
        if chance.random() < 0.3:
            profiler = Profiler(engine, {MODEL: ["country"]})
        profiler.keep_up(now := now + timedelta(minutes=chance.randrange(60)))
    assert profiler.ready(MODEL, Window(NOON.replace(hour=0), NOON.replace(hour=0) + DAY), LATER)
    found = all_states(engine)
    for table in (*TABLES, "profile_progress"):
        engine.command(f"TRUNCATE TABLE {table}")
    Profiler(engine, {MODEL: ["country"]}).ready(MODEL, Window(NOON.replace(hour=0), NOON + DAY), LATER)
    assert found == all_states(engine) and all(found)


def test_a_minute_is_profiled_once_it_has_settled_and_again_when_late_rows_have_gathered(engine: Engine) -> None:
    profiler = Profiler(engine, {})
    store(engine, **numbers(a=[1.0] * 90))
    for seconds in (5, 89):
        assert profiler.keep_up(NOON + seconds * SECONDS).changed == 0
    assert profiler.keep_up(NOON + 90 * SECONDS).changed == 1
    assert profiler.keep_up(NOON + 150 * SECONDS).changed == 1
    before = revisions(engine)
    store(engine, start=NOON + SECONDS / 2, **numbers(a=[2.0] * 3), received=NOON)  # stamped long ago, visible now
    assert profiler.keep_up(NOON + HOUR).changed == 0
    progress = profiler.keep_up(NOON + HOUR + 40 * SECONDS)
    assert (progress.changed, progress.cells, progress.lag) == (1, 63, timedelta(0))
    after = revisions(engine)
    assert after["12:00"] > before["12:00"] and after["12:01"] == before["12:01"]
    (state,) = (s for s in states(engine) if s["field"] == "a" and s["start"] == "2026-11-01 12:00:00")
    assert (state["rows"], state["max"]) == (63, 2)


def test_new_rows_are_found_though_they_were_merged_with_known_ones_at_once(engine: Engine) -> None:
    profiler = Profiler(engine, {})
    store(engine, **numbers(a=[1.0] * 180))
    assert profiler.ready(MODEL, Window(NOON, NOON + HOUR), LATER)
    before = revisions(engine)
    engine.command("OPTIMIZE TABLE predictions FINAL")
    assert profiler.keep_up(LATER + MINUTE) == profiler.keep_up(LATER + 2 * MINUTE)
    store(engine, start=NOON + MINUTE + SECONDS / 2, **numbers(a=[2.0] * 3))
    engine.command("OPTIMIZE TABLE predictions FINAL")
    profiler.keep_up(LATER + 3 * MINUTE)
    assert profiler.keep_up(LATER + 4 * MINUTE).changed == 1
    after = revisions(engine)
    assert {at for at in after if after[at] != before[at]} == {"12:01"}


def test_after_a_kill_nothing_is_missed_and_nothing_is_made_twice(engine: Engine) -> None:
    first = Profiler(engine, {})
    store(engine, **numbers(a=[1.0] * 120))
    first.keep_up(LATER)
    assert first.keep_up(LATER + MINUTE).changed == 2
    before = revisions(engine)
    assert Profiler(engine, {}).keep_up(LATER + 2 * MINUTE).changed == 0
    again = Profiler(engine, {})
    again.keep_up(LATER + 3 * MINUTE)
    assert again.looked_at == 0  # its progress had been noted
    store(engine, start=NOON + HOUR, **numbers(a=[1.0] * 60))
    again.keep_up(LATER + 4 * MINUTE)  # noticed, and killed before it was due
    engine.command("TRUNCATE TABLE profile_progress")
    last = Profiler(engine, {})
    last.keep_up(LATER + 5 * MINUTE)
    assert last.keep_up(LATER + 6 * MINUTE).changed == 1 and last.looked_at == 3
    assert {at: revision for at, revision in revisions(engine).items() if at != "13:00"} == before


def test_a_table_that_was_made_anew_is_read_from_its_beginning(engine: Engine) -> None:
    store(engine, **numbers(a=[1.0] * 60))
    store(engine, start=NOON + MINUTE, **numbers(a=[1.0] * 60))
    merged(engine, Window(NOON, NOON + HOUR))
    Profiler(engine, {}).keep_up(LATER)
    (made,) = engine.rows("SELECT create_table_query AS sql FROM system.tables WHERE name = 'predictions'")
    engine.command("DROP TABLE predictions SYNC")
    engine.command(made["sql"])
    store(engine, **numbers(a=[2.0] * 60), content=list(range(60, 120)))
    (part,) = merged(engine, Window(NOON, NOON + MINUTE))
    assert part.fields[Field("a", "num")].values.tolist() == [2]


def test_states_that_a_minute_no_longer_has_do_not_count(engine: Engine) -> None:
    store(engine, **numbers(a=[1.0] * 60), version="1")
    window = Window(NOON, NOON + HOUR)
    assert [part.version for part in merged(engine, window)] == ["1"]
    engine.command(
        "INSERT INTO predictions SELECT * REPLACE ('2' AS version, received + 1 AS received) FROM predictions"
    )
    assert [part.version for part in merged(engine, window)] == ["2"]
    assert told(merged(engine, window)) == told(counted(engine, window))


def test_rows_of_predictions_that_may_be_gone_leave_the_states_as_they_are(engine: Engine) -> None:
    store(engine, **numbers(a=[1.0] * 60))
    merged(engine, Window(NOON, NOON + HOUR))
    engine.command("TRUNCATE TABLE predictions")
    store(engine, start=NOON + SECONDS / 2, **numbers(a=[2.0] * 3))
    profiler = Profiler(engine, {}, {"predictions": 2})
    profiler.keep_up(LATER)
    assert profiler.keep_up(LATER + MINUTE).changed == profiler.looked_at == 0
    assert [s["rows"] for s in states(engine) if s["field"] == "a"] == [60]


def test_a_day_long_past_is_made_of_all_its_rows_though_its_minutes_are_no_longer_kept(engine: Engine) -> None:
    for hour in (0, 5):
        store(engine, start=NOON + hour * HOUR, **numbers(a=[1.0] * 90))
    whole = Window(NOON.replace(hour=0), NOON.replace(hour=0) + DAY)
    merged(engine, whole)
    for table in ("profiles_minute", "profiles_hour"):
        engine.command(f"TRUNCATE TABLE {table}")
    store(engine, start=NOON + SECONDS / 2, **numbers(a=[2.0] * 3))
    profiler = Profiler(engine, {}, {"profiles_minute": 1, "profiles_hour": 2})
    profiler.keep_up(LATER)
    profiler.keep_up(LATER + MINUTE)
    (day,) = (s for s in states(engine, "profiles_day") if s["field"] == "a")
    assert (day["rows"], day["values"], day["counts"]) == (183, [1, 2], [180, 3])


def test_several_models_are_profiled_at_once_each_with_its_own_tags(engine: Engine) -> None:
    for model in ("m", "n", "o"):
        store(engine, **numbers(a=[1.0] * 60), model=model, tags=[[("country", "DE"), ("plan", "x")]] * 60)
    profiler = Profiler(engine, {MODEL: ["country"], MODEL._replace(model="n"): ["plan"]})
    profiler.keep_up(LATER)
    assert profiler.keep_up(LATER + MINUTE).changed == 3
    found = {(s["model"], s["segment"]): s["rows"] for s in states(engine) if s["field"] == "a"}
    assert found == dict.fromkeys([("m", ""), ("m", "country=DE"), ("n", ""), ("n", "plan=x"), ("o", "")], 60)
    assert of_window(MODEL, Window(NOON, NOON + HOUR)).stretch is not None
