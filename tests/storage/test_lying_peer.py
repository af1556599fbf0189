"""Our server and our client agree because we wrote both; so the client also meets a server that lies.

Whatever it does, a call ends soon, in a StoreError that says so: never a hang, never silence, never a second insert.
"""

import socket
import struct
import time
from collections.abc import Callable

import pyarrow as pa
import pytest
from lying_peer import Lie, arrow_file, lying, response

from core.errors import StoreError, StoreUnavailable
from storage import open_engine
from storage.engine import Engine

ROWS = pa.table({"name": ["a", "b"]})
WHOLE = arrow_file(x=list(range(1000)))
ERROR = b"Code: 241. DB::Exception: Query memory limit exceeded. (MEMORY_LIMIT_EXCEEDED) (version 26.9.2.1)\n"


def sends(data: bytes) -> Lie:
    return lambda connection: connection.sendall(data)


def sends_and_closes(data: bytes) -> Lie:
    def lie(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return lie


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def sends_nothing(connection: socket.socket) -> None:
    connection.recv(1)  # until the client gives up


def reads(store: Engine) -> None:
    store.arrow("SELECT x FROM t")


def inserts(store: Engine) -> None:
    store.insert("t", ROWS, token="t-1")


def commands(store: Engine) -> None:
    store.command("ALTER TABLE t REMOVE TTL")


SUMMARY = 'X-ClickHouse-Summary: {"written_rows":"%s"}'
LIES: list[tuple[str, Callable[[Engine], None], Lie, type[StoreError], int]] = [
    ("an insert without a summary", inserts, sends(response(b"")), StoreUnavailable, 0),
    ("an insert of no rows", inserts, sends(response(b"", SUMMARY % 0)), StoreUnavailable, 0),
    ("an insert of some rows", inserts, sends(response(b"", SUMMARY % 1)), StoreUnavailable, 0),
    ("a summary that is none", inserts, sends(response(b"", SUMMARY % "x")), StoreUnavailable, 0),
    ("an insert's error after the 200", inserts, sends(response(ERROR, SUMMARY % 2)), StoreUnavailable, 241),
    ("a page after an insert", inserts, sends(response(b"<html>welcome</html>", SUMMARY % 2)), StoreError, 0),
    ("a command's error after the 200", commands, sends(response(ERROR)), StoreUnavailable, 241),
    ("an error code in a 200", reads, sends(response(b"", "X-ClickHouse-Exception-Code: 60")), StoreError, 60),
    ("an error in place of rows", reads, sends(response(ERROR)), StoreUnavailable, 241),
    ("an error after half the rows", reads, sends(response(WHOLE[:900] + ERROR)), StoreUnavailable, 241),
    ("nothing in place of rows", reads, sends(response(b"")), StoreUnavailable, 0),
    ("half a result", reads, sends(response(WHOLE[:900])), StoreUnavailable, 0),
    (
        "half a result, then the end",
        reads,
        sends_and_closes(b"HTTP/1.1 200 OK\r\n\r\n" + WHOLE[:-9]),
        StoreUnavailable,
        0,
    ),
    ("less than announced", reads, sends_and_closes(response(WHOLE)[:-9]), StoreUnavailable, 0),
    ("a reset after the insert was read", inserts, resets, StoreUnavailable, 0),
    ("a reset after the command was read", commands, resets, StoreUnavailable, 0),
    ("a reset after the query was read", reads, resets, StoreUnavailable, 0),
    ("no answer to a query", reads, sends_nothing, StoreUnavailable, 0),
    ("no answer to an insert", inserts, sends_nothing, StoreUnavailable, 0),
    ("an answer that stops", reads, sends(response(WHOLE)[:-9]), StoreUnavailable, 0),
    ("no HTTP", reads, sends_and_closes(b"SSH-2.0-OpenSSH_9.2\r\n"), StoreUnavailable, 0),
    ("a proxy's 502", inserts, sends(response(b"<html>", status="502 Bad Gateway")), StoreUnavailable, 0),
    ("a proxy's 503", inserts, sends(response(b"<html>", status="503 Service Unavailable")), StoreUnavailable, 0),
    ("a stranger's 404", reads, sends(response(b"<html>", status="404 Not Found")), StoreError, 0),
]


@pytest.mark.parametrize(("call", "lie", "kind", "code"), [x[1:] for x in LIES], ids=[x[0] for x in LIES])
def test_a_lie_ends_soon_in_an_error(
    call: Callable[[Engine], None], lie: Lie, kind: type[StoreError], code: int
) -> None:
    with lying(lie) as peer:
        store = open_engine(f"clickhouse://127.0.0.1:{peer.port}/tidemark?timeout=1")
        started = time.monotonic()
        with pytest.raises(StoreError) as caught:
            call(store)
        assert time.monotonic() - started < 5
        store.close()
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert call is reads or len(peer.lied_to) == 1


def test_an_insert_goes_out_once_with_its_token() -> None:
    with lying(sends(response(b"", SUMMARY % 2))) as peer:
        store = open_engine(f"clickhouse://127.0.0.1:{peer.port}/tidemark?timeout=5")
        inserts(store)
        store.close()
    assert len(peer.lied_to) == 1
    settings = "insert_deduplication_token = 't-1', async_insert = 0"
    assert f"INSERT INTO `t` (`name`) SETTINGS {settings} FORMAT ArrowStream" in peer.lied_to[0]


def test_nobody_there_is_unavailable_and_says_where() -> None:
    with lying(resets) as peer:
        pass
    with pytest.raises(StoreUnavailable, match=f"clickhouse://default@127.0.0.1:{peer.port}/tidemark: .*refused"):
        open_engine(f"clickhouse://default:hidden@127.0.0.1:{peer.port}/tidemark")
