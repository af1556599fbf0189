"""Calls beyond the limit are told to come back at once; a body that trickles in is given up after its time."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
import requests
from up_process import Up, eventually, up

CONFIG = """
taps: [{name: m, upstream: 'http://127.0.0.1:PORT'}]
limits: {concurrent_requests: 3, body_seconds: 2}
"""
HEAD = "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
RECEIVERS = ["/", "/events", "/api/predictions", "/tap/m/v2/models/m/infer", "/clickhouse/"]


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, never answers
        port = str(silent.getsockname()[1])
        with up(tmp_path_factory.mktemp("limited"), CONFIG.replace("PORT", port)) as started:
            yield started


def connection(limited: Up, path: str) -> socket.socket:
    """With the head of a call sent, and a little of its body."""
    opened = socket.create_connection(("127.0.0.1", int(limited.url.rpartition(":")[2])), timeout=20)
    opened.sendall(HEAD.format(path=path).encode() + b'{"')
    return opened


def counted(limited: Up, series: str) -> float:
    lines = [line for line in limited.get("/metrics").text.splitlines() if line.startswith(series)]
    return sum(float(line.split()[-1]) for line in lines)


@pytest.mark.parametrize("path", RECEIVERS)
def test_a_body_that_trickles_in_is_a_408_when_its_time_is_up(limited: Up, path: str) -> None:
    series = 'tidemark_refused_calls_total{reason="slow_body"}'
    before = counted(limited, series)
    started = time.monotonic()
    with connection(limited, path) as slow:
        slow.settimeout(0.2)
        answer = b""
        while not answer:
            try:
                answer = slow.recv(65536)
            except TimeoutError:
                slow.sendall(b" ")  # a byte now and then
        assert 1.5 < time.monotonic() - started < 6
        assert answer.startswith(b"HTTP/1.1 408 ") and b"connection: close" in answer
        assert b"limits.body_seconds" in answer + slow.recv(65536)
        slow.settimeout(5)
        with suppress(ConnectionResetError):  # closed too, while a byte of ours was under way
            assert slow.recv(1) == b"", "the rest of the body would be taken for the next call"
    assert counted(limited, series) == before + 1


def test_a_slow_body_is_an_event_that_was_rejected(limited: Up) -> None:
    series = 'tidemark_events_total{outcome="rejected",tap="api"}'
    before = counted(limited, series)
    with connection(limited, "/api/predictions") as slow:
        slow.recv(65536)
    assert counted(limited, series) == before + 1


def test_one_that_waits_for_its_answer_is_not_cut_off(limited: Up) -> None:
    """The upstream takes longer than a body may: that is not its sender's fault."""
    url = f"{limited.url}/tap/m/v2/models/m/infer"
    with pytest.raises(requests.ReadTimeout):
        requests.post(url, json={}, timeout=4)


def test_calls_over_the_limit_are_shed_at_once_and_counted_by_tap(limited: Up) -> None:
    series = {tap: f'tidemark_events_total{{outcome="shed",tap="{tap}"}}' for tap in ("events", "api", "m")}
    with ExitStack() as stack:
        before = {tap: counted(limited, name) for tap, name in series.items()}
        for path in ("/", "/api/predictions", "/tap/m/v2/models/m/infer"):
            stack.enter_context(connection(limited, path))
        eventually(lambda: limited.get("/api/models").status_code == 503, 5)
        started = time.monotonic()
        for path in ("/", "/api/predictions", "/tap/m/v2/models/m/infer"):
            answer = requests.post(limited.url + path, json={}, timeout=5)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "limits.concurrent_requests" in answer.json()["detail"]
        assert time.monotonic() - started < 1
        assert limited.get("/livez").ok and limited.get("/readyz").ok
        assert {tap: counted(limited, name) - before[tap] for tap, name in series.items()} == dict.fromkeys(series, 1)
    eventually(lambda: limited.get("/api/models").ok)


def test_the_place_of_a_call_is_free_when_it_ends_however_it_ends(limited: Up) -> None:
    for _ in range(5):
        for path in RECEIVERS:
            connection(limited, path).close()
        requests.get(f"{limited.url}/nothing", timeout=9)
    with ThreadPoolExecutor(3) as pool:  # as many as the limit
        eventually(lambda: all(a.ok for a in pool.map(lambda _: limited.get("/api/models"), range(3))))
