"""Both engines keep one contract: the same calls give the same columns, the same errors and the same rows stored."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StoreError, StoreUnavailable
from core.records import NAME, PREDICTIONS
from storage.engine import Engine, Limits
from storage.engines.embedded import EmbeddedEngine
from storage.engines.faults import RETRYABLE, store_error
from storage.engines.parameters import texts

SCHEMA = PREDICTIONS.append(pa.field("batch", pa.uint64()))
AT = datetime(2026, 11, 22, 13, 48, 48, 123456, tzinfo=UTC)


def predictions(rows: list[dict[str, Any]]) -> pa.Table:
    empty = {f.name: [] if pa.types.is_map(f.type) else "" if f.type == pa.string() else 0 for f in SCHEMA}
    return pa.Table.from_pylist([{**empty, "time": AT, "received": AT, **row} for row in rows], schema=SCHEMA)


def test_rows_come_back_as_they_were_stored(store: Engine) -> None:
    row = {
        "id": "zażółć-'\"\\\n",
        "namespace": "default",
        "latency": 0.25,
        "tags": [("país", "España"), ("empty", "")],
        "inputs_num": [("größe", 1.5), ("missing", math.nan), ("most", math.inf), ("tiny", 5e-324)],
        "inputs_cat": [("город", "Köln\t\n'")],
        "inputs_vec": [("v", [1.0, math.inf]), ("none", [])],
        "batch": 2**64 - 1,
    }
    store.insert("predictions", predictions([row, {"id": "empty"}]))
    stored, empty = store.rows("SELECT * FROM predictions ORDER BY id DESC")
    assert stored["time"] == AT and stored["batch"] == 2**64 - 1
    assert stored["id"] == row["id"] and stored["tags"] == {"país": "España", "empty": ""}
    assert math.isnan(stored["inputs_num"].pop("missing"))
    assert stored["inputs_num"] == {"größe": 1.5, "most": math.inf, "tiny": 5e-324}
    assert stored["inputs_cat"] == {"город": "Köln\t\n'"}
    assert stored["inputs_vec"] == {"v": [1.0, math.inf], "none": []}
    assert empty["inputs_num"] == {} and empty["outputs_vec"] == {}


def test_a_map_of_a_thousand_names_is_stored_from_a_dictionary(store: Engine) -> None:
    names, rows = [f"f{i}" for i in range(1000)], 50
    values = np.random.default_rng(1).normal(size=(rows, len(names)))
    keys = pa.DictionaryArray.from_arrays(pa.array(np.tile(np.arange(1000, dtype=np.int32), rows)), pa.array(names))
    wide = pa.MapArray.from_arrays(pa.array(np.arange(0, 50_001, 1000, dtype=np.int32)), keys, pa.array(values.ravel()))
    assert wide.type == pa.map_(NAME, pa.float64())
    table = predictions([{"id": str(i), "row": i} for i in range(rows)])
    store.insert("predictions", table.set_column(table.schema.get_field_index("inputs_num"), "inputs_num", wide))
    got = store.arrow("SELECT inputs_num['f7'] AS f7, length(inputs_num) AS n FROM predictions ORDER BY row")
    assert got.column("f7").to_pylist() == values[:, 7].tolist()
    assert set(got.column("n").to_pylist()) == {1000}


def test_a_result_without_rows_still_has_its_columns(store: Engine) -> None:
    table = store.arrow("SELECT id, time FROM predictions -- none yet")
    assert (table.num_rows, table.column_names) == (0, ["id", "time"])


def test_every_time_comes_back_in_utc(store: Engine) -> None:
    times = "toDateTime({t:DateTime64(6)}) AS s, {t:DateTime64(6)} AS us, CAST(s, 'Nullable(DateTime)') AS m"
    sql = f"SELECT {times}, toUInt32(7) AS n"
    berlin = AT.astimezone(timezone(timedelta(hours=1)))
    assert store.rows(sql, {"t": berlin}) == [
        {"s": AT.replace(microsecond=0), "us": AT, "n": 7, "m": AT.replace(microsecond=0)}
    ]


PARAMETERS: list[tuple[str, Any]] = [
    ("String", 'it\'s\t"a"\n\\n `b` \r\b\f é'),
    ("Nullable(String)", None),
    ("Nullable(String)", "\\N"),
    ("Int64", -(2**63)),
    ("UInt64", 2**64 - 1),
    ("Float64", 0.1),
    ("Float64", -math.inf),
    ("Bool", True),
    ("Date", date(2026, 1, 2)),
    ("DateTime64(6, 'UTC')", AT),
    ("Array(DateTime64(6, 'UTC'))", [AT]),
    ("Array(Nullable(String))", ["a'\n", None, "\\"]),
    ("Array(Array(UInt8))", [[1], []]),
    ("Map(String, Float64)", {"a'b\\": 1.5}),
]


def test_parameters_arrive_as_they_are(store: Engine) -> None:
    for kind, value in PARAMETERS:
        assert store.rows(f"SELECT {{p:{kind}}} AS p", {"p": value}) == [{"p": value}], kind


def test_parameters_longer_than_an_address_arrive(store: Engine) -> None:
    ids = [f"prediction-{i}" for i in range(20_000)]
    assert store.rows("SELECT length({ids:Array(String)}) AS n", {"ids": ids}) == [{"n": 20_000}]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_a_parameter_s_text_has_no_bare_quote_tab_or_newline(values: list[str]) -> None:
    text = texts({"p": values})["p"]
    assert "\n" not in text and "\t" not in text
    assert text.replace("\\\\", "").replace("\\'", "").count("'") == 2 * len(values)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM nowhere", 60),
        ("SELEC 1", 62),
        ("SELECT nothing", 47),
        ("SELECT throwIf(1)", 395),
        ("SELECT 1; SELECT 2", 62),
    ],
)
def test_errors_carry_the_code_of_clickhouse(store: Engine, sql: str, code: int) -> None:
    with pytest.raises(StoreError) as caught:
        store.rows(sql)
    assert caught.value.code == code and not isinstance(caught.value, StoreUnavailable)
    assert "\n" not in str(caught.value) and "DB::Exception" not in str(caught.value)
    assert store.rows("SELECT 1 AS one") == [{"one": 1}]


def test_a_failed_query_leaves_nothing_in_front_of_the_next_result(engine: Engine) -> None:
    for _ in range(5):
        with pytest.raises(StoreError):
            engine.arrow("SELECT throwIf(number = 60000) FROM numbers(100000) SETTINGS max_block_size = 1000")
        assert engine.rows("SELECT 1 AS one") == [{"one": 1}]


def test_what_may_pass_later_is_unavailable(store: Engine) -> None:
    with pytest.raises(StoreUnavailable) as memory:
        store.arrow("SELECT groupArray(number) AS a FROM numbers(10000000)", limits=Limits(memory_bytes=10_000_000))
    with pytest.raises(StoreUnavailable) as timeout:
        store.arrow("SELECT sleep(3) AS s", limits=Limits(seconds=0.2))
    assert (memory.value.code, timeout.value.code) == (241, 159)


@pytest.mark.parametrize("code", [*RETRYABLE, 60, 62, 6, 164])
def test_the_code_alone_decides_what_is_retried(code: int) -> None:
    error = store_error(f"Code: {code}. DB::Exception: Words: while doing. (NAME) (version 26.9.2.1)")
    assert isinstance(error, StoreUnavailable) == (code in RETRYABLE)
    assert str(error) == "Words: while doing. (NAME)"


@pytest.mark.parametrize(
    "data",
    [pa.table({"nothing": ["a"]}), pa.table({"name": ["a"], "row": ["no number"]})],
    ids=["unknown column", "wrong value"],
)
def test_a_refused_insert_stores_nothing(store: Engine, data: pa.Table) -> None:
    with pytest.raises(StoreError) as caught:
        store.insert("references", data)
    assert not isinstance(caught.value, StoreUnavailable)
    assert store.rows("SELECT count() AS n FROM references") == [{"n": 0}]


def test_rows_of_too_many_days_are_not_worth_another_try(store: Engine) -> None:
    days = [{"id": str(i), "time": AT - timedelta(days=i)} for i in range(120)]
    with pytest.raises(StoreError) as caught:
        store.insert("predictions", predictions(days))
    assert caught.value.code == 252 and not isinstance(caught.value, StoreUnavailable)


def test_what_the_table_itself_refuses_is_an_error_and_never_taken_for_stored(store: Engine) -> None:
    store.command("ALTER TABLE references ADD CONSTRAINT small CHECK row < 10")
    with pytest.raises(StoreError, match="small"):
        store.insert("references", pa.table({"row": pa.array([10], pa.uint64())}))
    assert store.rows("SELECT count() AS n FROM references") == [{"n": 0}]


def test_a_repeated_token_is_stored_once_and_rows_without_one_always(store: Engine) -> None:
    letter = pa.table({"received": pa.array([AT]), "reason": ["broken"]})
    for token in ("one", "one", "two", "", ""):
        store.insert("dead_letters", letter, token)
    assert store.rows("SELECT count() AS n FROM dead_letters") == [{"n": 4}]


def test_threads_share_an_engine(store: Engine) -> None:
    def work(i: int) -> int:
        store.insert("references", pa.table({"name": ["n"], "row": pa.array([i], pa.uint64())}))
        return int(store.rows("SELECT {i:UInt64} AS i", {"i": i})[0]["i"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(24))) == list(range(24))
    assert store.rows("SELECT uniqExact(row) AS n FROM references") == [{"n": 24}]


def test_a_closed_engine_says_so_and_frees_its_folder(engine: EmbeddedEngine) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(engine.rows, "SELECT sleep(0.3) AS s")
        while engine.rows("SELECT count() AS n FROM system.processes")[0]["n"] < 2:
            pass
        engine.close()
        assert running.result(0) == [{"s": 0}]
    with pytest.raises(StoreError, match="closed"):
        engine.rows("SELECT 1")
    again = EmbeddedEngine(engine.folder)
    assert again.rows("SELECT count() AS n FROM predictions") == [{"n": 0}]
    again.close()


def test_closing_kills_what_would_not_end(engine: EmbeddedEngine) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(engine.rows, "SELECT sum(sipHash64(number)) AS s FROM numbers(1e12)")
        while engine.rows("SELECT count() AS n FROM system.processes")[0]["n"] < 2:
            pass
        started = time.monotonic()
        engine.close()
        assert time.monotonic() - started < 4
        with pytest.raises(StoreUnavailable):
            running.result()


def test_a_second_folder_in_one_process_is_refused(engine: EmbeddedEngine) -> None:
    with pytest.raises(StoreError, match="already initialized with path"):
        EmbeddedEngine(engine.folder.parent / "other")
