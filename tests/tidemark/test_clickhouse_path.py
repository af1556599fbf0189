"""/clickhouse/: the ClickHouse HTTP protocol over the embedded engine, for anyone who only reads."""

import clickhouse_connect
import pytest
import requests
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from up_process import Up


@pytest.fixture(scope="module")
def read(served: Up) -> Up:
    served.send("sql", *({"id": f"sql-{n}", "inputs": {"n": n}} for n in range(3)))
    served.stored("sql-2")
    return served


def client(served: Up) -> Client:
    port = int(served.url.rpartition(":")[2])
    return clickhouse_connect.get_client(host="127.0.0.1", port=port, proxy_path="clickhouse", database="tidemark")


def test_a_query_in_the_address_or_the_body_is_answered(read: Up) -> None:
    sql = "SELECT count() FROM predictions FINAL WHERE model = 'sql'"
    assert read.get("/clickhouse/", query=sql).text == "3\n"
    assert requests.post(f"{read.url}/clickhouse/", sql + " FORMAT JSONEachRow", timeout=20).json() == {"count()": 3}


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO monitors VALUES ('x', now())",
        "DROP TABLE predictions",
        "ALTER TABLE predictions DELETE WHERE 1",
        "TRUNCATE TABLE predictions",
        "CREATE TABLE t (a Int8) ENGINE = Memory",
        "SET readonly = 0",
        "SELECT * FROM file('/etc/passwd', LineAsString)",
        "SELECT * FROM url('http://127.0.0.1:1', LineAsString)",
        "SELECT 1 INTO OUTFILE '/tmp/out'",
        "SELECT 1; DROP TABLE predictions",
        "SYSTEM SHUTDOWN",
    ],
)
def test_what_writes_or_reaches_out_is_refused(read: Up, sql: str) -> None:
    answer = requests.post(f"{read.url}/clickhouse/", sql, timeout=20)
    assert answer.status_code >= 400 and "DB::Exception" in answer.text
    assert int(answer.headers["X-ClickHouse-Exception-Code"]) > 0
    assert read.get("/clickhouse/", query="SELECT count() FROM predictions WHERE model = 'sql'").text == "3\n"


def test_a_setting_cannot_lift_the_limits(read: Up) -> None:
    for setting in ({"readonly": 0}, {"max_result_rows": 0}, {"max_execution_time": 10**9}):
        answer = read.get("/clickhouse/", query="INSERT INTO monitors VALUES ('x', now())", **setting)
        assert answer.status_code >= 400
    assert read.get("/clickhouse/", query="SELECT 1", allow_ddl=1).status_code >= 400


def test_a_wrong_password_for_the_owner_is_refused(read: Up) -> None:
    answer = requests.post(f"{read.url}/clickhouse/", "SELECT 1", auth=("owner", "guess"), timeout=20)
    assert (answer.status_code, "Authentication failed" in answer.text) == (401, True)


def test_clickhouse_connect_reads_and_cannot_write(read: Up) -> None:
    with client(read) as connection:
        rows = connection.query(
            "SELECT id, inputs_num FROM predictions FINAL WHERE model = {m:String} ORDER BY id", {"m": "sql"}
        )
        assert rows.result_rows == [(f"sql-{n}", {"n": float(n)}) for n in range(3)]
        with pytest.raises(DatabaseError, match="read-only"):
            connection.command("DROP TABLE predictions")
        with pytest.raises(DatabaseError, match="read-only"):
            connection.insert(
                "monitors",
                [["x", "2024-01-22 00:00:00"]],
                column_names=["name", "first_seen"],
                column_type_names=["String", "String"],
            )


def test_paths_beside_it_are_no_store(read: Up) -> None:
    assert read.get("/clickhousefoo").status_code == 404
