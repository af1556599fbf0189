from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StoreError
from storage import query
from storage.engine import Engine, Limits
from storage.engines.statement import OUTSIDE, format_of, insert_with_rows, one_statement, read_only, split

READING = [
    "SELECT 1 AS x;",
    "  -- why\nSELECT 1 AS x ; -- done;",
    "/* ; */ WITH 1 AS x SELECT x",
    "(SELECT ';' AS x)",
    "SELECT ';''\\'; DROP TABLE runs' AS x",
    "SELECT 1 AS `a;\\`b`",
    "FROM system.one SELECT 1 AS x",
    "SHOW TABLES",
    "DESCRIBE TABLE runs",
    "DESCRIBE (SELECT 1)",
    "EXPLAIN SELECT 1",
    "EXISTS TABLE runs",
]
REFUSED = [
    "INSERT INTO runs (id) SELECT 'x'",
    "INSERT INTO runs (id) VALUES ('x')",
    "CREATE TABLE t (a Int8) ENGINE = Memory",
    "DROP TABLE runs",
    "ALTER TABLE runs DELETE WHERE 1",
    "TRUNCATE TABLE runs",
    "OPTIMIZE TABLE runs",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "SET readonly = 0",
    "USE system",
    "ATTACH TABLE t (a Int8) ENGINE = Memory",
    "WITH 1 AS x INSERT INTO runs (id) SELECT 'x'",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_result_rows = 0",
    "SELECT 1; DROP TABLE runs",
    "SELECT 1;;SELECT 2",
    "SELECT 1 PARALLEL WITH DROP TABLE runs",
    "SELECT file('/etc/passwd')",
    "SELECT `file` /* */ ('/etc/passwd')",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM default.`/etc/passwd`",
    "SELECT * FROM url('http://127.0.0.1:9/x', 'CSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:9/bucket/x', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1', 'system.one')",
    "SELECT * FROM executable('id', 'CSV', 'a String')",
    "SELECT * FROM python(x)",
    "DESCRIBE url('http://127.0.0.1:9/x')",
    "DESCRIBE TABLE icebergS3('http://127.0.0.1:9/bucket/x')",
    "SELECT 1 INTO OUTFILE '{path}'",
    "SELECT 1 into/**/outfile '{path}' FORMAT CSV",
    "SELECT 1 /* open",
    "SELECT 1 /* /* */ ; DROP TABLE runs */",
    "SELECT $a$ ; $a$",
    "SELECT 'open",
    "",
    " ; -- nothing",
]


def test_reading_statements_run_on_both_engines_alike(engine: Engine, server: Engine) -> None:
    for sql in READING:
        assert query(engine, sql).to_pylist() == query(server, sql).to_pylist(), sql


def test_everything_that_writes_or_reaches_outside_is_refused(store: Engine, tmp_path: Path) -> None:
    out, tables = tmp_path / "out", store.rows("SHOW TABLES")
    for sql in REFUSED:
        with pytest.raises(StoreError):
            query(store, sql.replace("{path}", str(out)))
    assert not out.exists()
    assert store.rows("SHOW TABLES") == tables and store.rows("SELECT count() AS n FROM runs") == [{"n": 0}]


def test_readonly_alone_refuses_writes_where_the_text_is_not_read_first(store: Engine) -> None:
    for sql in ("SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT 1 SETTINGS readonly = 0"):
        with pytest.raises(StoreError) as caught:
            store.arrow(sql, limits=Limits())
        assert caught.value.code == 164


def test_limits_hold(store: Engine) -> None:
    with pytest.raises(StoreError) as rows:
        query(store, "SELECT number FROM numbers(11)", Limits(rows=10))
    with pytest.raises(StoreError) as seconds:
        query(store, "SELECT sleep(3) AS s", Limits(seconds=0.2))
    with pytest.raises(StoreError) as memory:
        query(store, "SELECT groupArray(number) AS a FROM numbers(10000000)", Limits(memory_bytes=10_000_000))
    assert [e.value.code for e in (rows, seconds, memory)] == [396, 159, 241]
    assert query(store, "SELECT number FROM numbers(10)", Limits(rows=10)).num_rows == 10


def test_a_new_table_function_of_the_engine_is_noticed(engine: Engine) -> None:
    """Whoever raises the engine's version decides for each new function whether it reaches out of the database."""
    inside = """
        dictionary format fuzzJSON fuzzQuery generateRandom generateSeries generate_series input loop merge
        mergeTreeAnalyzeIndexes mergeTreeAnalyzeIndexesUUID mergeTreeCodecBlockCounts mergeTreeIndex
        mergeTreeProjection mergeTreeTextIndex null numbers numbers_mt primes prometheusQuery prometheusQueryRange
        SQLStandardValues timeSeriesData timeSeriesMetricFamilies timeSeriesMetrics timeSeriesSamples
        timeSeriesSelector timeSeriesTags values view viewExplain viewIfPermitted zeros zeros_mt
    """
    names = {row["name"] for row in engine.rows("SELECT name FROM system.table_functions")}
    assert {name for name in names if not OUTSIDE.fullmatch(name)} == set(inside.split())


def test_scripts_split_at_their_own_semicolons_only() -> None:
    assert split("A ';' ; -- ;\nB `;` ;\n/* ; */ ;") == ["A ';'", "-- ;\nB `;`"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["'", '"', "`", ";", "\\", "--", "/*", "*/", "\n", "a", " ", "$", "#"]), max_size=12))
def test_no_literal_or_comment_hides_a_second_statement(parts: list[str]) -> None:
    """Whatever is put into a properly escaped literal, it stays one statement; raw text is one statement or refused."""
    text = "".join(parts)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    assert one_statement(f"SELECT '{escaped}';") == f"SELECT '{escaped}'"
    try:
        kept = read_only(f"SELECT {text}")
    except StoreError:
        return
    assert len(split(kept)) == 1


@pytest.mark.parametrize(
    ("sql", "name"),
    [("SELECT 1 FORMAT JSON", "JSON"), ("SELECT (SELECT 1) format CSV", "CSV"), ("SELECT ' FORMAT CSV'", None)],
)
def test_the_format_clause_is_found(sql: str, name: str | None) -> None:
    assert format_of(sql) == name


def test_an_insert_s_rows_are_not_read_as_sql() -> None:
    text = "INSERT INTO t (`a`, format) SETTINGS x = 1 FORMAT CSV\n';--"
    found = insert_with_rows(text)
    assert found is not None
    assert found.sql() == "INSERT INTO t (`a`, format) SETTINGS x = 1 FORMAT CSV"
    assert found.sql_from_file("/a'b") == "INSERT INTO t (`a`, format) FROM INFILE '/a\\'b' SETTINGS x = 1 FORMAT CSV"
    assert text[found.rows_at :] == "\n';--"
    assert insert_with_rows("INSERT INTO t SELECT 1 FORMAT CSV") is None
    assert insert_with_rows("SELECT 1 FORMAT CSV") is None
