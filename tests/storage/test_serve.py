"""The embedded engine as a ClickHouse server: what a client of that protocol sees on the wire."""

import gzip
import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from email.message import Message
from urllib.parse import urlencode

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from fastapi import FastAPI

from core.errors import StoreError
from storage import open_engine, query
from storage.engine import Limits
from storage.engines.embedded import EmbeddedEngine
from storage.serving.serve import Application, clickhouse_app, writes_with

OWNER = {"X-ClickHouse-User": "owner", "X-ClickHouse-Key": "s3cret/+&"}


def ask(
    port: int, body: bytes | str = b"", headers: Mapping[str, str] | None = None, method: str = "POST", **query: str
) -> tuple[int, Message, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, f"/?{urlencode(query)}", body=body, headers=dict(headers or {}))
    answer = connection.getresponse()
    seen = answer.status, answer.headers, answer.read()
    connection.close()
    return seen


def test_ping_needs_no_password(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/ping")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"Ok.\n")
    connection.close()


def test_the_statement_may_be_in_the_address_the_body_or_both(port: int) -> None:
    assert ask(port, query="SELECT 1", method="GET")[2] == b"1\n"
    assert ask(port, "SELECT 1")[2] == b"1\n"
    assert ask(port, ", 2", query="SELECT 1")[2] == b"1\t2\n"


def test_the_format_comes_from_the_statement_the_header_or_the_address(port: int) -> None:
    for answer in (
        ask(port, "SELECT 1 AS a FORMAT JSONEachRow"),
        ask(port, "SELECT 1 AS a", default_format="JSONEachRow"),
        ask(port, "SELECT 1 AS a", {"X-ClickHouse-Format": "JSONEachRow"}),
    ):
        assert (answer[2], answer[1]["X-ClickHouse-Format"]) == (b'{"a":1}\n', "JSONEachRow")


def test_parameters_and_settings_come_in_the_address(port: int) -> None:
    assert ask(port, "SELECT {a:String}", param_a="it\\'s")[2] == b"it\\'s\n"
    assert ask(port, "SELECT timezone()", session_timezone="Europe/Berlin")[2] == b"Europe/Berlin\n"


def test_a_setting_that_is_not_on_the_list_is_refused_by_name(port: int) -> None:
    for name in ("allow_introspection_functions", "user_files_path", "log_comment", "compress", "config-file"):
        status, headers, body = ask(port, "SELECT 1", OWNER, **{name: "1"})
        assert (status, headers["X-ClickHouse-Exception-Code"]) == (400, "115") and name.encode() in body


def test_rows_of_an_insert_come_after_their_format_or_alone_in_the_body(port: int) -> None:
    insert = "INSERT INTO references (name, row) FORMAT CSV"
    answers = [
        ask(port, f'{insert}\n"a;\'--",1\n', OWNER),
        ask(port, b"b,2\nc,3\n", OWNER, query=insert),
        ask(port, "('d', 4)", OWNER, query="INSERT INTO references (name, row) VALUES"),
        ask(port, gzip.compress(b"e,5\n"), {**OWNER, "Content-Encoding": "gzip"}, query=insert),
    ]
    assert [(status, body) for status, _, body in answers] == [(200, b"")] * 4
    assert [json.loads(a[1]["X-ClickHouse-Summary"])["written_rows"] for a in answers] == ["1", "2", "1", "1"]
    assert ask(port, "SELECT name FROM references ORDER BY row")[2] == b"a;\\'--\nb\nc\nd\ne\n"


def test_binary_rows_that_are_no_text_are_stored(port: int) -> None:
    raw = b"INSERT INTO dead_letters (body) FORMAT RowBinary\n" + b"\x04\xff\x00;'"
    assert ask(port, raw, OWNER)[0] == 200
    assert ask(port, "SELECT hex(body) FROM dead_letters")[2] == b"FF003B27\n"


def test_an_answer_is_compressed_when_the_client_asks_for_it(port: int) -> None:
    both = {"Accept-Encoding": "gzip"}
    _, headers, body = ask(port, "SELECT number FROM numbers(1000)", both, enable_http_compression="1")
    assert headers["Content-Encoding"] == "gzip" and gzip.decompress(body).count(b"\n") == 1000
    assert "Content-Encoding" not in ask(port, "SELECT 1", both)[1]


def test_a_query_keeps_the_id_it_was_given(port: int) -> None:
    assert ask(port, "SELECT 1", query_id="mine")[1]["X-ClickHouse-Query-Id"] == "mine"


ERRORS: list[tuple[str | bytes, int, str]] = [
    ("SELEC", 403, "164"),
    ("SELECT 1 2", 400, "62"),
    ("SELECT * FROM nowhere", 404, "60"),
    ("SELECT 1; SELECT 2", 400, "62"),
    ("SELECT 'open", 400, "62"),
    (b"SELECT '\xff'", 400, "62"),
    ("DROP TABLE runs", 403, "164"),
    ("SELECT file('/etc/passwd')", 403, "164"),
    ("SELECT 1 SETTINGS readonly = 0", 403, "164"),
    ("", 400, "62"),
]


def test_errors_have_their_status_and_code(port: int) -> None:
    for sql, status, code in ERRORS:
        answer = ask(port, sql)
        assert (answer[0], answer[1]["X-ClickHouse-Exception-Code"]) == (status, code), sql
        assert answer[2].startswith(f"Code: {code}. DB::Exception: ".encode())


def test_readers_cannot_write_whatever_they_say(port: int) -> None:
    insert = "INSERT INTO references (name) VALUES ('x')"
    for extra in ({}, {"readonly": "0"}, {"readonly": "2"}, {"user": "someone", "password": "s3cret/+&"}):
        assert ask(port, insert, **extra)[0] == 403
    assert ask(port, headers=OWNER, method="GET", query=insert)[0] == 403
    assert ask(port, query="SELECT count() FROM references", method="GET")[2] == b"0\n"


def test_a_limit_that_is_none_is_refused(port: int) -> None:
    assert [ask(port, "SELECT 1", max_result_rows=given)[0] for given in ("-1", "nan", "x")] == [400, 400, 400]


def test_readers_may_lower_their_limits_and_not_raise_them(
    engine: EmbeddedEngine, serving: Callable[[Application], AbstractContextManager[int]]
) -> None:
    with serving(clickhouse_app(engine.handles, writes_with("t", Limits(rows=10)))) as port:
        ten = "SELECT number FROM numbers({n:UInt8})"
        assert ask(port, ten, param_n="10", max_result_rows="1000")[0] == 200
        for most, rows in (("1000", "11"), ("0", "11"), ("5", "6")):
            assert ask(port, ten, param_n=rows, max_result_rows=most)[1]["X-ClickHouse-Exception-Code"] == "396"


def test_a_wrong_token_is_refused_and_not_taken_for_a_reader(port: int) -> None:
    status, headers, _ = ask(port, "SELECT 1", {"X-ClickHouse-User": "owner", "X-ClickHouse-Key": "wrong"})
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (401, "516")
    assert ask(port, "SELECT 1", {"Authorization": "Basic !"})[0] == 401


def test_a_reader_that_hangs_up_has_its_query_killed(engine: EmbeddedEngine, port: int) -> None:
    running = "SELECT count() AS n FROM system.processes WHERE query LIKE '%numbers(1e12)%' AND query NOT LIKE '%LIKE%'"

    def wait_for(n: int) -> None:
        deadline = time.monotonic() + 5
        while engine.rows(running) != [{"n": n}]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/", body="SELECT sum(sipHash64(number)) FROM numbers(1e12)")
    wait_for(1)
    connection.close()
    wait_for(0)


def test_a_slow_query_holds_up_nobody(port: int) -> None:
    slow = threading.Thread(target=ask, args=(port, "SELECT sleep(1)"))
    slow.start()
    started = time.monotonic()
    assert ask(port, "SELECT 1")[2] == b"1\n"
    assert time.monotonic() - started < 0.8
    slow.join()


def test_it_can_be_mounted_under_a_path(
    engine: EmbeddedEngine, serving: Callable[[Application], AbstractContextManager[int]]
) -> None:
    api = FastAPI()
    api.mount("/clickhouse", clickhouse_app(engine.handles, writes_with("t")))
    with serving(api) as port:
        reader = open_engine(f"clickhouse://127.0.0.1:{port}/tidemark?path=/clickhouse/")
        assert query(reader, "SELECT 1 AS one").to_pylist() == [{"one": 1}]
        with pytest.raises(StoreError) as caught:
            reader.command("DROP TABLE runs")
        assert caught.value.code == 164
        reader.close()


@pytest.mark.parametrize("compress", [False, "lz4", "gzip"])
def test_the_driver_s_own_reading_and_writing_work(port: int, compress: bool | str) -> None:
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=port, username="owner", password="s3cret/+&", database="tidemark", compress=compress
    )
    assert client.ping()
    client.insert("references", [["a", 1], ["é", 2]], column_names=["name", "row"])
    rows = client.query("SELECT name, row FROM references WHERE row > {n:UInt8} ORDER BY row", parameters={"n": 0})
    assert rows.result_rows == [("a", 1), ("é", 2)]
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM nowhere")
    client.close()
