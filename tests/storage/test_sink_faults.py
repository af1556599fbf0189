"""Only what is wrong with rows may cost them; whatever is wrong with the store is waited for."""

import logging

import pytest
from test_sink import NOW, count, rows

from core.days import DAY_MICROS
from core.errors import StoreError, StoreUnavailable
from core.records import DeadLetter, FieldInfo, Half, ModelKey, Payload, RequestKey
from storage import open_engine
from storage.delivery.halves import StoreHalves
from storage.delivery.sink import StoreSink
from storage.engine import Engine
from storage.engines.embedded import EmbeddedEngine
from storage.engines.faults import BAD_ROWS, RETRYABLE, blames_rows, store_error

SPREAD = "Too many partitions for single INSERT block (120 partitions, limit is 100)"
SHORT = "Attempt to read after eof: Cannot parse UInt8 from String, because value is too short"
# What the engine says, and what is done: retried quietly, retried loudly, or the rows are told apart.
TABLE = [
    (241, "Query memory limit exceeded", "retry"),
    (252, "Too many parts (3000). Merges are processing significantly slower than inserts", "retry"),
    (159, "Timeout exceeded", "retry"),
    (209, "Timeout exceeded while reading from socket", "retry"),
    (210, "Connection reset by peer", "retry"),
    (243, "Cannot reserve 1.00 MiB, not enough space", "retry"),
    (75, "Cannot write to file, errno: 28, No space left on device", "retry"),
    (242, "Table is in readonly mode", "retry"),
    (3, "Unexpected end of file", "retry"),
    (32, "Attempt to read after eof", "retry"),
    (999, "Session expired", "retry"),
    (16, "No such column x in table", "loud"),
    (47, "Unknown identifier", "loud"),
    (49, "Logical error", "loud"),
    (50, "Unknown data type family", "loud"),
    (60, "Table does not exist", "loud"),
    (62, "Syntax error", "loud"),
    (81, "Database does not exist", "loud"),
    (115, "Unknown setting", "loud"),
    (164, "Cannot execute query in readonly mode", "loud"),
    (192, "There is no user", "loud"),
    (497, "Not enough privileges", "loud"),
    (516, "Authentication failed", "loud"),
    (0, "a page of some other server", "loud"),
    (1002, "Unknown exception", "loud"),
    (469, "Constraint `c` is violated at row 1", "rows"),
    (395, "Value passed to 'throwIf' function is non-zero", "rows"),
    (691, "Unknown element 'zz' for enum", "rows"),
    (53, "Type mismatch", "rows"),
    (6, "Cannot parse string", "rows"),
    (32, SHORT, "rows"),
    (252, SPREAD, "rows"),
    (395, "Value passed to 'throwIf' function is non-zero: while pushing to view tidemark.mine", "loud"),
]


@pytest.mark.parametrize(("code", "text", "done"), TABLE, ids=[f"{code}-{done}" for code, _, done in TABLE])
def test_what_is_done_after_a_failed_insert_goes_by_its_code(code: int, text: str, done: str) -> None:
    error = store_error(f"Code: {code}. DB::Exception: {text}. (NAME) (version 26.9.2.1)", code)
    assert isinstance(error, StoreUnavailable) == (done == "retry")
    assert blames_rows(error) == (done == "rows")


def test_codes_have_the_names_the_engine_gives_them(engine: EmbeddedEngine) -> None:
    sql = "SELECT errorCodeToName({code:UInt32}) AS name"
    for code, name in {**RETRYABLE, **BAD_ROWS}.items():
        assert engine.rows(sql, {"code": code}) == [{"name": name}]
    assert not RETRYABLE.keys() & BAD_ROWS.keys()


def test_refused_rows_cost_no_row_of_another_day(store: Engine, engine: EmbeddedEngine) -> None:
    engine.command("ALTER TABLE predictions ADD CONSTRAINT c CHECK id != 'bad'")
    batch = rows("a", "bad", "b", time=[NOW, NOW + DAY_MICROS, NOW + 2 * DAY_MICROS])
    with pytest.raises(StoreError, match="violated") as caught:
        StoreSink(store).store(batch)
    assert not isinstance(caught.value, StoreUnavailable) and caught.value.code == 469
    assert count(engine) == 2


def half(error: str = "") -> Half:
    return Half(RequestKey("default", "m", "r"), "request", Payload(()), NOW, NOW, "events", error=error)


def test_a_store_that_takes_nothing_is_waited_for_and_loudly_named(
    store: Engine, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    sink, halves, tables = StoreSink(store), StoreHalves(store), ("predictions", "dead_letters", "models", "halves")
    letter, field = DeadLetter(NOW, "api", "x", "", "", b""), FieldInfo(ModelKey("d", "m"), "", *"abcd", 0, 1, "")
    calls = [
        lambda: sink.store(rows("a")),
        lambda: sink.store_dead_letters([letter]),
        lambda: sink.store_fields([field]),
        lambda: halves.keep([half()]),
    ]
    for table, call in zip(tables, calls, strict=True):
        engine.command(f"RENAME TABLE {table} TO gone")
        caplog.clear()
        with pytest.raises(StoreUnavailable, match="does not exist"):
            call()
        assert [(r.levelno, table in r.getMessage()) for r in caplog.records] == [(logging.ERROR, True)]
        engine.command(f"RENAME TABLE gone TO {table}")
        call()
        assert engine.rows(f"SELECT count() AS n FROM {table}") == [{"n": 1}]


def test_a_user_that_may_only_read_costs_no_rows(port: int) -> None:
    stranger = open_engine(f"clickhouse://127.0.0.1:{port}/tidemark?timeout=30")
    with pytest.raises(StoreUnavailable, match="INSERT is refused"):
        StoreSink(stranger).store(rows("a"))
    stranger.close()


def test_a_view_that_raises_does_not_make_its_table_refuse_rows(engine: EmbeddedEngine) -> None:
    """The rows are in the table before a view sees them."""
    engine.command("CREATE TABLE mine (x UInt8) ENGINE = MergeTree ORDER BY x")
    engine.command("CREATE MATERIALIZED VIEW raising TO mine AS SELECT throwIf(id = 'bad') AS x FROM predictions")
    sink = StoreSink(engine)
    with pytest.raises(StoreUnavailable, match="while pushing to view"):
        sink.store(rows("bad"))
    sink.store(rows("bad"))
    assert count(engine) == 1


def test_halves_with_words_that_are_no_text_and_halves_of_many_bytes_are_kept(store: Engine) -> None:
    halves = StoreHalves(store)
    large = [half()._replace(key=RequestKey("default", "m", f"r{n}"), body=b"x" * (40 << 20)) for n in range(3)]
    halves.keep([half("lone \ud800 surrogate"), *large])
    [kept] = halves.kept([half().key])
    assert kept.error == "lone ? surrogate"
    assert store.rows("SELECT count() AS n FROM halves") == [{"n": 4}]
