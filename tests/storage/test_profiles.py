"""Windows read as merges of states: what they say beside the rows themselves."""

import numpy as np
import pytest
from profiled_rows import DAY, HOUR, LATER, MINUTE, MODEL, NOON, counted, merged, numbers, states, store, told

from core.findings import RowSpan, Window
from detectors.univariate.ks import largest_difference
from storage.engine import Engine
from storage.profiles.cover import cover, stretches
from storage.profiles.grains import DAY as DAYS
from storage.profiles.grains import HOUR as HOURS
from storage.profiles.grains import MINUTE as MINUTES
from storage.profiles.merge import OTHERS
from storage.profiles.profiler import Profiler
from storage.profiles.reader import ProfileReader
from storage.windows.distributions import Field
from storage.windows.relations import as_reference, of_window

TEN = Window(NOON, NOON + 10 * MINUTE)
A = Field("a", "num")


def mixed(engine: Engine, zero: float = -0.0, **more: object) -> None:
    """Numbers with NaN, infinities, both zeros and gaps, categories, outputs, some of them failed, an output's twin."""
    rows = 600
    a = np.random.default_rng(0).normal(size=rows)
    a[:4], a[4:6] = [np.inf, -np.inf, 0.0, zero], np.nan
    store(
        engine,
        inputs_num=[[("a", v), ("few", float(n % 3))] if n % 7 else [("few", 1.0)] for n, v in enumerate(a)],
        inputs_cat=[[("c", "xyz"[n % 3])] if n % 5 else [] for n in range(rows)],
        outputs_num=[[("p", v), ("few", 1.0)] if n % 11 else [] for n, v in enumerate(a)],
        status=[200 if n % 11 else 500 for n in range(rows)],
        tags=[[("country", "DE" if n % 2 else "FR")] if n % 3 else [] for n in range(rows)],
        **more,
    )


def without_nan(engine: Engine) -> None:
    """Collectors leave NaN out; what a back-fill by SQL may have put in is missing too."""
    engine.command(
        "ALTER TABLE predictions UPDATE inputs_num = mapFilter((k, v) -> NOT isNaN(v), inputs_num),"
        " outputs_num = mapFilter((k, v) -> NOT isNaN(v), outputs_num) WHERE true SETTINGS mutations_sync = 1"
    )


def test_few_rows_a_minute_are_merged_to_what_the_rows_are(engine: Engine) -> None:
    mixed(engine)
    found = {segment: merged(engine, TEN, segment) for segment in ("", "country")}
    as_one = merged(engine, as_reference(of_window(MODEL, TEN)))
    assert {d.merged_error for p in found[""] for d in p.fields.values()} == {0}
    without_nan(engine)
    assert told(found[""]) == told(counted(engine, TEN))
    assert told(found["country"]) == told(counted(engine, TEN, "country")) and len(found["country"]) == 2
    assert told(as_one) == told(counted(engine, as_reference(of_window(MODEL, TEN))))


def test_versions_and_weights_are_merged_to_what_the_rows_are(engine: Engine) -> None:
    for version, weights in (("1", [1.0, 4.0]), ("2", [1.0, 1.0])):
        mixed(engine, 0.0, version=version, weight=weights * 300)
    without_nan(engine)
    for relation in (of_window(MODEL, TEN), as_reference(of_window(MODEL, TEN))):
        ours, rows = merged(engine, relation), counted(engine, relation)
        assert [p.version for p in ours] == [p.version for p in rows]
        for mine, theirs in zip(ours, rows, strict=True):
            assert mine.fields.keys() == theirs.fields.keys()
            for field, known in theirs.fields.items():
                found = mine.fields[field]
                assert found.values.tolist() == known.values.tolist()
                assert found.counts == pytest.approx(known.counts)
                assert (found.missing, found.effective_rows) == pytest.approx((known.missing, known.effective_rows))
                assert (found.squares is None) == (known.squares is None)
                assert found.squares is None or found.squares == pytest.approx(known.squares)


SHAPES = {
    "normal": lambda r, n: r.normal(size=n),
    "offset": lambda r, n: r.normal(300, 3, n),
    "lognormal": lambda r, n: r.lognormal(0, 2, n),
    "discrete": lambda r, n: r.poisson(2000, n).astype(float),
    "zeros": lambda r, n: np.where(r.random(n) < 0.9, 0, r.lognormal(size=n)),
    "priced": lambda r, n: np.floor(r.lognormal(3, 1, n)) + 0.99,
    "tied": lambda r, n: r.choice(r.normal(size=700), n),
}


def test_many_rows_a_minute_give_curves_within_their_error(engine: Engine) -> None:
    random = np.random.default_rng(1)
    shapes = {name: np.concatenate([shape(random, 3000) for _ in range(3)]) for name, shape in SHAPES.items()}
    store(engine, MINUTE / 3000, **numbers(**{name: values.tolist() for name, values in shapes.items()}))
    minute, three = Window(NOON, NOON + MINUTE), Window(NOON, NOON + 3 * MINUTE)
    for window, most in ((minute, 0.0015), (three, 0.0015), (Window(NOON, NOON + HOUR), 0.002)):
        (ours,), (rows,) = merged(engine, window), counted(engine, window)
        for field, known in rows.fields.items():
            found = ours.fields[field]
            assert found.merged_error is not None and found.total == pytest.approx(known.total)
            assert largest_difference(found, known) <= found.merged_error + 1e-12, (field, window)
            assert largest_difference(found, known) <= most, (field, window)
    assert len(ours.fields[Field("zeros", "num")].values) <= HOURS.values


def test_the_columns_for_people_are_those_of_the_rows(engine: Engine) -> None:
    values = np.random.default_rng(2).normal(300, 3, 6000)
    store(engine, HOUR / 6000, inputs_num=[[("a", v)] if n % 10 else [] for n, v in enumerate(values)])
    merged(engine, Window(NOON, NOON + HOUR))
    known = values[np.arange(6000) % 10 > 0]
    (minute,) = (s for s in states(engine) if s["field"] == "a" and s["start"] == "2026-11-01 12:00:00")
    assert minute["different"] == minute["rows"] == 90 and minute["missing"] == 10
    (hour,) = (s for s in states(engine, "profiles_hour") if s["field"] == "a")
    assert (hour["rows"], hour["missing"], hour["min"], hour["max"]) == (5400, 600, known.min(), known.max())
    assert (hour["mean"], hour["variance"]) == pytest.approx((known.mean(), known.var()), rel=1e-9)


def test_a_state_of_a_minute_takes_at_most_three_kilobytes(engine: Engine) -> None:
    random = np.random.default_rng(3)
    shapes = {
        "many": random.normal(size=3000).tolist(),
        "few": [float(n % 226) for n in range(3000)],
        "more": [float(n % 227) for n in range(3000)],
    }
    texts = [[("c", f"category {n % 900}")] for n in range(3000)]
    store(engine, MINUTE / 3000, **numbers(**shapes), inputs_cat=texts)
    merged(engine, Window(NOON, NOON + MINUTE))
    (size,) = engine.rows(
        "SELECT sum(data_uncompressed_bytes) AS bytes, sum(rows) AS rows FROM system.parts"
        " WHERE table = 'profiles_minute' AND active"
    )
    assert size["rows"] == 5 and size["bytes"] <= 4 * 3072


def test_of_many_categories_the_most_frequent_are_kept_and_the_others_counted_from_rows(engine: Engine) -> None:
    texts = [[("c", "often" if n % 2 else f"rare {n:04}"), ("d", "x")] for n in range(2000)]
    store(engine, MINUTE / 2000, inputs_cat=texts)
    window, c = Window(NOON, NOON + MINUTE), Field("c", "cat")
    (state,) = (s for s in states_of(engine, window) if s["field"] == "c")
    assert state["categories"][0] == "often" and state["counts"][0] == 1000 and state["different"] == 1001
    assert state["rest"] == 2000 - sum(state["counts"]) > 700 and state["error"] == state["rest"] / 2000
    (part,) = merged(engine, window)
    assert told([part]) == told(counted(engine, window))
    assert part.fields[c].merged_error is None and part.fields[Field("d", "cat")].merged_error == 0
    engine.command("TRUNCATE TABLE predictions")
    reader, relation = ProfileReader(engine, dict), of_window(MODEL, window)
    (part,) = reader.parts(relation, reader.totals(relation, ""), "", None)
    found = part.fields[c]
    assert found.total == 2000 and OTHERS in found.values and found.merged_error == state["error"]


def states_of(engine: Engine, window: Window) -> list[dict[str, object]]:
    merged(engine, window)
    return states(engine)


def test_minutes_of_too_many_versions_and_segments_are_counted_from_rows(engine: Engine) -> None:
    store(engine, **numbers(a=[1.0] * 300), tags=[[("country", f"{n}")] for n in range(300)])
    assert told(merged(engine, TEN, "country")) == told(counted(engine, TEN, "country"))
    assert not [s for s in states(engine) if s["segment"]]
    store(engine, MINUTE / 300, NOON + 2 * MINUTE, **numbers(a=[1.0] * 300), version=[f"{n}" for n in range(300)])
    assert len(merged(engine, TEN)) == 20 and told(merged(engine, TEN)) == told(counted(engine, TEN))
    assert all(s["role"] == "" for s in states(engine) if s["start"] == "2026-11-01 12:02:00")


def test_a_window_is_covered_by_days_hours_and_minutes_at_its_edges() -> None:
    start, end = NOON - 2 * MINUTE, NOON + 2 * DAY + 3 * HOUR + MINUTE
    found = [(s.grain, s.start, s.end) for s in stretches(Window(start, end))]
    midnight = NOON.replace(hour=0) + DAY
    assert found == [
        (DAYS, midnight, midnight + DAY),
        (HOURS, NOON, midnight),
        (HOURS, midnight + DAY, NOON + 2 * DAY + 3 * HOUR),
        (MINUTES, start, NOON),
        (MINUTES, end - MINUTE, end),
    ]
    assert list(stretches(Window(start, end + MINUTE / 2))) == []
    inside = Window(NOON + MINUTE, NOON + 3 * MINUTE)
    assert [(s.grain, s.start, s.end) for s in stretches(inside)] == [(MINUTES, inside.start, inside.end)]


def test_days_are_merged_like_their_minutes_and_the_same_window_gives_the_same_bits(engine: Engine) -> None:
    values = np.random.default_rng(5).normal(size=24 * 400)
    store(engine, DAY / len(values), NOON.replace(hour=0), **numbers(a=values.tolist()))
    window = Window(NOON.replace(hour=0), NOON + HOUR + MINUTE)
    first = told(merged(engine, window))
    whole = Window(window.start, window.start + DAY)
    (part,), (rows,) = merged(engine, whole), counted(engine, whole)
    assert len(part.fields[A].values) == DAYS.values and part.fields[A].merged_error == pytest.approx(0.5 / 512)
    assert largest_difference(part.fields[A], rows.fields[A]) < part.fields[A].merged_error
    for table in ("minute", "hour", "day", "progress"):
        name = "profile_progress" if table == "progress" else f"profiles_{table}"
        engine.command(f"TRUNCATE TABLE {name}")
    assert told(merged(engine, window)) == first


def test_what_is_no_longer_kept_and_what_is_no_time_window_is_read_from_rows(engine: Engine) -> None:
    store(engine, **numbers(a=[1.0] * 60))
    assert cover(engine, MODEL, TEN, {MINUTES: NOON + MINUTE}) is None
    assert cover(engine, MODEL, TEN, {MINUTES: NOON}) is not None
    reader = ProfileReader(engine, lambda: {MINUTES: NOON + MINUTE})
    odd = Window(NOON, NOON + MINUTE / 2)
    rows = Window(NOON, NOON, RowSpan((NOON, ""), (NOON + MINUTE, "z")))
    for window, expected in ((TEN, 60), (odd, 30), (rows, 60)):
        relation = of_window(MODEL, window)
        (part,) = reader.parts(relation, reader.totals(relation, ""), "", None)
        assert part.rows == expected and part.fields[A].merged_error is None
        assert reader.listing(relation, "") == {("", ""): {A}}


def test_the_old_edge_of_a_long_window_is_counted_where_its_minutes_are_no_longer_kept(engine: Engine) -> None:
    mixed(engine, 0.0, start=NOON + HOUR - 5 * MINUTE, weight=[1.0, 4.0] * 300)
    without_nan(engine)
    window = Window(NOON + HOUR - 5 * MINUTE, NOON + 2 * HOUR)
    for relation in (of_window(MODEL, window), as_reference(of_window(MODEL, window))):
        for segment in ("", "country"):
            known = merged(engine, relation, segment)
            reader = ProfileReader(engine, lambda: {MINUTES: window.start + MINUTE})
            found = reader.parts(relation, totals := reader.totals(relation, segment), segment, None)
            assert [total.rows for total in totals] == [part.rows for part in known]
            assert reader.listing(relation, segment) == {(p.version, p.segment): set(p.fields) for p in known}
            for mine, theirs in zip(found, known, strict=True):
                assert [row[:5] for row in told([mine])] == [row[:5] for row in told([theirs])]
                for field, one in theirs.fields.items():
                    other = mine.fields[field]
                    assert other.counts == pytest.approx(one.counts) and other.squares == pytest.approx(one.squares)
                    assert (other.missing, other.effective_rows) == pytest.approx((one.missing, one.effective_rows))
    engine.command("TRUNCATE TABLE predictions")
    (part,) = reader.parts(of_window(MODEL, window), reader.totals(of_window(MODEL, window), ""), "", None)
    assert part.rows == 300  # the edge is gone with its rows


def test_edges_of_a_long_window_are_merged_from_few_values_within_its_error(engine: Engine) -> None:
    values = np.random.default_rng(6).normal(size=60 * 400)
    store(engine, HOUR / 12000, NOON, **numbers(a=values.tolist()))
    engine.command("INSERT INTO predictions SELECT * REPLACE (time + INTERVAL 2 HOUR AS time) FROM predictions")
    window = Window(NOON + HOUR - MINUTE, NOON + 4 * HOUR)
    (ours,), (rows,) = merged(engine, window), counted(engine, window)
    found = ours.fields[A]
    assert largest_difference(found, rows.fields[A]) < found.merged_error < 0.0022
    assert 2 * HOURS.values < len(found.values) <= 2 * HOURS.values + 16  # two of the three hours are the same


def test_chosen_fields_are_merged_alone_and_all_are_listed(engine: Engine) -> None:
    mixed(engine)
    assert Profiler(engine, {}).ready(MODEL, TEN, LATER)
    reader, relation = ProfileReader(engine, dict), of_window(MODEL, TEN)
    (total,) = totals = reader.totals(relation, "")
    assert total.rows == 600 and total.cells[0] > 500
    (part,) = reader.parts(relation, totals, "", ["a", "outputs.a"])
    assert set(part.fields) == {A}
    (all_of_it,) = reader.parts(relation, totals, "", None)
    assert reader.listing(relation, "") == {("", ""): set(all_of_it.fields)}
    assert Field("outputs.few", "num") in all_of_it.fields
