from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from core.findings import RowSpan, Window
from core.records import PREDICTIONS, ModelKey
from storage.engine import Engine
from storage.windows import distributions as windows
from storage.windows.cache import MOST_TOTALS, CachedReader, DirectReader
from storage.windows.distributions import Field, Part, Totals
from storage.windows.relations import Relation, as_reference, of_window
from storage.windows.rows import Choice, Tumbling, matrix, numeric, row_spans

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))
MODEL = ModelKey("default", "m")


def store(engine: Engine, **columns: object) -> None:
    """Rows a second apart; what is not given is as plain as it can be."""
    (rows,) = {len(column) for column in columns.values() if isinstance(column, list)}
    times = [NOON + timedelta(seconds=n) for n in range(rows)]
    plain = {"namespace": "default", "model": "m", "status": 200, "weight": 1.0, "time": times, "received": times}
    ids = [f"{columns.get('version', '')}{n:05}" for n in range(rows)]
    filled = {n: c if isinstance(c, list) else [c] * rows for n, c in {**plain, "id": ids, **columns}.items()}
    engine.insert("predictions", pa.table(filled, schema=pa.schema([PREDICTIONS.field(name) for name in filled])))


def read(engine: Engine, relation: Relation, segment: str = "") -> list[Part]:
    return windows.read(engine, relation, windows.totals(engine, relation, segment), segment)


def test_every_field_of_every_map_becomes_its_distribution(engine: Engine) -> None:
    store(
        engine,
        inputs_num=[[("age", 3.0), ("x", np.inf)], [("age", 1.0)], [("age", 3.0)]],
        inputs_cat=[[("country", "FR")], [("country", "DE")], [("country", "FR")]],
        outputs_num=[[("p", 0.5)]] * 3,
    )
    (part,) = read(engine, of_window(MODEL, HOUR))
    assert part.rows == 3 and set(part.fields) == {
        Field("age", "num"), Field("x", "num"), Field("country", "cat"), Field("p", "num"),
    }  # fmt: skip
    age, country, x = (part.fields[f] for f in (Field("age", "num"), Field("country", "cat"), Field("x", "num")))
    assert (age.values.tolist(), age.counts.tolist(), age.missing, age.effective_rows) == ([1, 3], [1, 2], 0, 3)
    assert (country.values.tolist(), country.counts.tolist(), country.kind) == (["DE", "FR"], [1, 2], "cat")
    assert (x.values.tolist(), x.missing) == ([np.inf], 2)


def test_outputs_of_failed_inferences_are_not_missing(engine: Engine) -> None:
    store(engine, inputs_num=[[("a", 1.0)]] * 4, outputs_num=[[("p", 0.5)], [], [], []], status=[200, 200, 500, 503])
    (part,) = read(engine, of_window(MODEL, HOUR))
    assert part.fields[Field("a", "num")].total == 4
    assert (part.fields[Field("p", "num")].missing, part.fields[Field("p", "num")].effective_rows) == (1, 2)


def test_an_output_named_like_an_input_is_told_apart(engine: Engine) -> None:
    store(engine, inputs_num=[[("v", 1.0)]] * 2, outputs_num=[[("v", 2.0)]] * 2)
    (part,) = read(engine, of_window(MODEL, HOUR))
    assert {f.name: d.values.tolist() for f, d in part.fields.items()} == {"v": [1], "outputs.v": [2]}


def test_rows_of_other_models_and_times_stay_out_and_resent_rows_count_once(engine: Engine) -> None:
    for _ in range(2):
        store(engine, inputs_num=[[("a", 1.0)]] * 3)
    store(engine, inputs_num=[[("a", 9.0)]] * 3, model="other")
    store(engine, inputs_num=[[("a", 9.0)]] * 3, time=[NOON - timedelta(microseconds=1), HOUR.end, HOUR.end])
    (part,) = read(engine, of_window(MODEL, HOUR))
    assert part.fields[Field("a", "num")].counts.tolist() == [3]


def test_weights_count_and_make_effective_rows(engine: Engine) -> None:
    store(
        engine,
        inputs_num=[[("a", 2.0)], [("a", 1.0)], [("a", 1.0)], []],
        inputs_cat=[[("c", "x")]] * 4,
        weight=[4.0, 1.0, 1.0, 2.0],
    )
    (part,) = read(engine, of_window(MODEL, HOUR))
    a, c = part.fields[Field("a", "num")], part.fields[Field("c", "cat")]
    assert (a.values.tolist(), a.counts.tolist(), a.missing) == ([1, 2], [2, 4], 2)
    assert a.effective_rows == c.effective_rows == pytest.approx(64 / 22)
    assert a.squares is not None and a.squares.tolist() == [2, 16]
    known, missing = a.variances
    assert [*known, missing] == pytest.approx([2 / 64, 16 / 64, 4 / 64])


def test_rows_that_all_weigh_one_need_no_squares(engine: Engine) -> None:
    store(engine, inputs_cat=[[("c", "x")], [("c", "y")]])
    (part,) = read(engine, of_window(MODEL, HOUR))
    assert part.fields[Field("c", "cat")].squares is None


def test_rows_of_even_weight_and_weighted_samples_are_as_the_traffic_was(engine: Engine) -> None:
    """A fifth of the traffic, whose value is 1, was kept whole, and of the rest a tenth."""
    values = [1.0] * 500 + [0.0] * 200
    store(engine, inputs_num=[[("a", v)] for v in values], weight=[1.0] * 500 + [10.0] * 200)
    relation = of_window(MODEL, HOUR)
    everything = matrix(engine, relation, ["a"], Choice(1000))
    assert everything.values.mean() == pytest.approx(5 / 7)
    assert everything.values[everything.even].mean() == pytest.approx(0.2, abs=0.08)
    assert (everything.values[~everything.even] == 1).all() and everything.even.sum() > 200
    few = matrix(engine, relation, ["a"], Choice(60, "weighted"))
    assert few.values.mean() == pytest.approx(0.2, abs=0.15)
    assert few.ids == matrix(engine, relation, ["a"], Choice(60, "weighted")).ids


def test_of_even_weights_a_weighted_sample_is_a_plain_one(engine: Engine) -> None:
    store(engine, inputs_num=[[("a", float(n))] for n in range(300)], weight=10.0)
    plain, weighted = (matrix(engine, of_window(MODEL, HOUR), ["a"], Choice(50, p)) for p in ("sample", "weighted"))
    assert plain.ids == weighted.ids and plain.even.all()


def test_versions_and_segments_are_parts_of_their_own(engine: Engine) -> None:
    for version, values in (("1", [1.0, 1.0, 1.0]), ("2", [2.0])):
        tags = [[("country", "DE" if n else "FR")] for n in range(len(values))]
        store(engine, inputs_num=[[("a", v)] for v in values], version=version, tags=tags)
    relation = of_window(MODEL, HOUR)
    a = Field("a", "num")
    assert {(p.version, p.rows, p.fields[a].total) for p in read(engine, relation)} == {("1", 3, 3), ("2", 1, 1)}
    parts = {(p.version, p.segment): p.fields[a].total for p in read(engine, relation, "country")}
    assert parts == {("1", "country=DE"): 2, ("1", "country=FR"): 1, ("2", "country=FR"): 1}
    assert read(engine, relation, "nothing") == []
    (whole,) = read(engine, as_reference(relation))
    assert (whole.version, whole.fields[a].values.tolist()) == ("", [1, 2])


def test_only_the_largest_segments_are_looked_at(engine: Engine) -> None:
    tags = [[("customer", f"{n % 30:02}")] for n in range(100)]
    store(engine, inputs_num=[[("a", 1.0)]] * 100, tags=tags)
    parts = read(engine, of_window(MODEL, HOUR), "customer")
    assert [p.segment for p in parts] == [f"customer={n:02}" for n in range(20)]


def test_chosen_fields_are_read_alone_and_all_are_listed(engine: Engine) -> None:
    store(engine, inputs_num=[[("a", 1.0), ("b", 1.0)]] * 2, inputs_cat=[[("c", "x")]] * 2)
    relation = of_window(MODEL, HOUR)
    totals = windows.totals(engine, relation)
    (part,) = windows.read(engine, relation, totals, only=["b", "c"])
    assert set(part.fields) == {Field("b", "num"), Field("c", "cat")}
    assert windows.listing(engine, relation) == {("", ""): {Field("a", "num"), *part.fields}}


def test_an_empty_window_has_no_parts(engine: Engine) -> None:
    assert read(engine, of_window(MODEL, HOUR)) == []


def test_the_cache_gives_what_it_read_first_and_forgets_the_least_used(engine: Engine) -> None:
    store(engine, inputs_num=[[("a", 1.0)]] * 2)
    relation, reader = of_window(MODEL, HOUR), CachedReader(DirectReader(engine), most_bytes=1)
    totals = reader.totals(relation, "")
    first = reader.parts(relation, totals, "", None)
    store(engine, inputs_num=[[("a", 2.0)]] * 5)
    assert reader.parts(relation, reader.totals(relation, ""), "", None) is first
    reader.parts(relation, totals, "", ["a"])
    assert reader.parts(relation, totals, "", None) is not first


def test_the_cache_forgets_the_totals_that_were_read_first(engine: Engine) -> None:
    hours = [of_window(MODEL, Window(HOUR.start, HOUR.end + n * timedelta(hours=1))) for n in range(MOST_TOTALS + 1)]

    class Empty(DirectReader):
        def totals(self, relation: Relation, segment: str) -> list[Totals]:
            return []

    reader = CachedReader(Empty(engine))
    first, *_, last = [reader.totals(hour, "") for hour in hours]
    assert reader.totals(hours[-1], "") is last and reader.totals(hours[0], "") is not first


def test_a_matrix_has_the_numeric_inputs_with_nan_where_missing(engine: Engine) -> None:
    store(
        engine,
        inputs_num=[[("a", 1.0), ("b", 2.0)], [("b", 3.0)], []],
        inputs_cat=[[("c", "x")]] * 3,
        outputs_num=[[("p", 1.0)]] * 3,
        version=["1", "1", "2"],
    )
    relation = of_window(MODEL, HOUR)
    assert numeric(engine, relation) == {"a", "b"} and numeric(engine, relation, "output") == {"p"}
    newest = matrix(engine, relation, ["b", "a"], Choice(10, "newest"))
    assert newest.versions == ("2", "1", "1")
    np.testing.assert_equal(newest.values, [[np.nan, np.nan], [3, np.nan], [2, 1]])
    assert matrix(engine, relation, ["a"], Choice(10, version="2")).ids == (newest.ids[0],)
    assert matrix(engine, relation, ["a"], Choice(10, ids=[newest.ids[1]])).ids == (newest.ids[1],)
    assert matrix(engine, of_window(ModelKey("no", "m"), HOUR), ["a"], Choice(10)).values.shape == (0, 1)


def test_a_sample_is_the_same_each_time(engine: Engine) -> None:
    store(engine, inputs_num=[[("a", float(n))] for n in range(500)])
    one, two = (matrix(engine, of_window(MODEL, HOUR), ["a"], Choice(50)) for _ in range(2))
    assert one.ids == two.ids and len(one.ids) == 50 and one.values.max() > 100


def test_row_windows_tumble_in_the_order_of_received_and_id(engine: Engine) -> None:
    store(engine, inputs_num=[[("a", float(n))] for n in range(25)], received=NOON)
    spans = row_spans(engine, MODEL, Tumbling(10, (NOON - timedelta(days=1), ""), NOON))
    assert spans == [RowSpan((NOON, "00000"), (NOON, "00009")), RowSpan((NOON, "00010"), (NOON, "00019"))]
    assert row_spans(engine, MODEL, Tumbling(10, spans[-1].last, NOON)) == []
    assert row_spans(engine, MODEL, Tumbling(10, spans[0].last, NOON)) == spans[1:]
    assert row_spans(engine, MODEL, Tumbling(5, spans[0].last, NOON - timedelta(microseconds=1))) == []
    for span in spans:
        (part,) = read(engine, of_window(MODEL, Window(NOON, NOON, span)))
        assert part.rows == 10


def test_rows_of_failed_inferences_can_be_left_out_of_row_windows(engine: Engine) -> None:
    store(engine, inputs_num=[[("a", 1.0)]] * 6, status=[500, 200, 500, 200, 200, 200], received=NOON)
    (span,) = row_spans(engine, MODEL, Tumbling(3, (NOON - timedelta(days=1), ""), NOON, only_ok=True))
    assert span == RowSpan((NOON, "00001"), (NOON, "00004"))
