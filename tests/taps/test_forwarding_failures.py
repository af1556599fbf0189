"""When one side of the tap fails, the other sees what it would have seen, and the inference is stored all the same."""

import http.client
import socket
import time
from collections.abc import Callable
from threading import Event

import pytest
from raw_http import Script, Upstream, Wire, answer, connected, ok, post
from tap_service import Service

INFER = "/tap/m/v2/models/income/infer"
REQUEST = b'{"id": "r", "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.5]}]}'
RESPONSE = b'{"outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "data": [2.5]}]}'
HEAD = f"POST {INFER} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(REQUEST)}\r\n\r\n".encode()


@pytest.fixture
def nobody() -> Upstream:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return Upstream(taken.getsockname()[1])


def reset_at_once(wire: Wire) -> None:
    wire.request()
    wire.reset()


def close_at_once(wire: Wire) -> None:
    wire.request()


def talk_nonsense(wire: Wire) -> None:
    wire.request()
    wire.send(b"SSH-2.0-OpenSSH_9.2\r\n")


def answer_with_no_status_of_http(wire: Wire) -> None:
    wire.request()
    wire.send(ok(b"", status="999 Odd"))


def test_an_upstream_that_is_down_is_502_and_a_failed_inference(
    nobody: Upstream, start: Callable[..., Service]
) -> None:
    service = start(nobody)
    got = post(service.port, INFER, REQUEST)
    assert (got.status, got.header("content-type")) == (502, ["application/json"])
    (row,) = service.predictions()
    assert (row["id"], row["status"], row["inputs_num"], row["outputs_num"]) == ("r", 502, {"x": 1.5}, {})
    assert "Cannot connect" in row["error"]
    assert service.events("m") == {"accepted": 1}


@pytest.mark.parametrize("script", [reset_at_once, close_at_once, talk_nonsense, answer_with_no_status_of_http])
def test_an_upstream_that_gives_no_answer_is_502_and_a_failed_inference(
    service: Service, upstream: Upstream, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.script = script
    assert post(service.port, INFER, REQUEST).status == 502
    (row,) = service.predictions()
    assert (row["status"], row["inputs_num"]) == (502, {"x": 1.5})
    assert row["error"]
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("length", [b"content-length: 1000", b"transfer-encoding: chunked"])
def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(
    service: Service, upstream: Upstream, length: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    def script(wire: Wire) -> None:
        wire.request()
        wire.send(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n5\r\nbegin\r\n")
        wire.reset()

    upstream.script = script
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        post(service.port, INFER, REQUEST)
    (row,) = service.predictions()
    assert (row["status"], row["inputs_num"], row["outputs_num"]) == (200, {"x": 1.5}, {})
    assert row["error"]
    assert not any(record.exc_info for record in caplog.records)
    assert not service.memory.letters


def test_an_answer_before_the_whole_request_came_is_passed(service: Service, upstream: Upstream) -> None:
    def script(wire: Wire) -> None:
        wire.head()
        wire.send(ok(b"too much", "Connection: close", status="413 Content Too Large"))

    upstream.script = script
    with connected(service.port) as connection:
        connection.sendall(f"POST {INFER} HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n".encode())
        connection.sendall(b"x" * 100_000)
        got = answer(connection)
    assert (got.status, got.body) == (413, b"too much")
    (row,) = service.predictions()
    assert (row["status"], row["error"]) == (413, "too much")
    (letter,) = service.letters()
    assert letter.reason == "disconnected"


def test_a_client_that_goes_before_its_request_is_whole_leaves_what_came(
    service: Service, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Event()

    def script(wire: Wire) -> None:
        wire.head()
        wire.wait_for_end()
        gone.set()

    upstream.script = script
    with connected(service.port) as connection:
        connection.sendall(HEAD + REQUEST[:10])
        time.sleep(0.05)
    (letter,) = service.letters()
    assert (letter.reason, letter.body, letter.model) == ("disconnected", REQUEST[:10], "income")
    (row,) = service.predictions()
    assert (row["status"], row["error"]) == (499, "the client went away before its request was whole")
    assert gone.wait(5), "the upstream was not told"
    assert not caplog.records


@pytest.mark.parametrize("begun", [False, True])
def test_a_client_that_goes_before_its_answer_is_whole_is_recorded_and_the_upstream_told(
    service: Service, upstream: Upstream, begun: bool, caplog: pytest.LogCaptureFixture
) -> None:
    asked, gone = Event(), Event()

    def script(wire: Wire) -> None:
        wire.request()
        if begun:
            wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n")
        asked.set()
        wire.wait_for_end()
        gone.set()

    upstream.script = script
    with connected(service.port) as connection:
        connection.sendall(HEAD + REQUEST)
        assert asked.wait(5)
        if begun:
            while b"begin" not in connection.recv(1000):
                pass
    assert gone.wait(5), "the upstream was not told"
    (row,) = service.predictions()
    assert (row["id"], row["status"], row["inputs_num"]) == ("r", 200 if begun else 499, {"x": 1.5})
    assert row["error"] == "the client went away before its answer was whole"
    assert not caplog.records


def test_a_client_that_goes_while_it_only_listens_ends_the_stream(service: Service, upstream: Upstream) -> None:
    gone = Event()

    def script(wire: Wire) -> None:
        wire.request()
        wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n")
        wire.wait_for_end()
        gone.set()

    upstream.script = script
    with connected(service.port) as connection:
        connection.sendall(b"GET /tap/m/events HTTP/1.1\r\nHost: h\r\n\r\n")
        while b"begin" not in connection.recv(1000):
            pass
    assert gone.wait(5)


def test_an_upstream_that_comes_back_is_used_again(service: Service, upstream: Upstream) -> None:
    upstream.script = reset_at_once
    assert post(service.port, INFER, REQUEST).status == 502
    upstream.answering(ok(RESPONSE))
    answers = (post(service.port, INFER, REQUEST) for _ in range(5))  # one may still meet the old listener's reset
    assert any(answer.body == RESPONSE for answer in answers)


def test_an_upstream_that_resets_during_an_upload_is_502_and_the_whole_request_recorded(
    service: Service, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    reset = Event()

    def script(wire: Wire) -> None:
        wire.head()
        wire.file.read(10)
        wire.reset()
        reset.set()

    upstream.script = script
    with connected(service.port) as connection:
        connection.sendall(HEAD + REQUEST[:10])
        assert reset.wait(5)
        connection.sendall(REQUEST[10:])
        assert answer(connection).status == 502
    (row,) = service.predictions()
    assert (row["id"], row["status"], row["inputs_num"]) == ("r", 502, {"x": 1.5})
    assert not any(record.exc_info for record in caplog.records)


def test_a_request_that_no_upstream_takes_is_waited_for_only_so_long(
    nobody: Upstream, start: Callable[..., Service]
) -> None:
    service = start(nobody)
    with connected(service.port) as connection:
        connection.sendall(HEAD + REQUEST[:10])
        started = time.perf_counter()
        assert answer(connection).status == 502
        assert time.perf_counter() - started < 4
