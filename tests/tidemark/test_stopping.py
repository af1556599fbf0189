"""`tidemark up` stops within 5 s of a signal, with everything stored that it had answered 2xx."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from threading import Event
from typing import Any

import pytest
import requests
from up_process import Up, up

from storage import open_engine

STOP_SECONDS = 5
TENSOR = {"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [7]}


@pytest.mark.parametrize("impatient", [[signal.SIGTERM], [signal.SIGINT] * 3])
def test_signals_stop_it_with_everything_stored(tmp_path: Path, impatient: list[signal.Signals]) -> None:
    with up(tmp_path) as served:
        served.send("rows", *({"id": f"r{n}", "inputs": {"n": n}} for n in range(500)))
        served.event("request", "pairs", "pair", {"inputs": [TENSOR]})
        served.event("response", "pairs", "pair", {"outputs": [TENSOR]})
        served.event("request", "pairs", "alone", {"inputs": [TENSOR]})
        requests.post(served.url, b"no event", timeout=10)
        assert stopped(served, *impatient) == 0
    assert not (tmp_path / "store" / "owner.json").exists()
    counts = "SELECT model, count() AS n FROM predictions FINAL GROUP BY model ORDER BY model"
    assert stored(served, counts) == [{"model": "pairs", "n": 1}, {"model": "rows", "n": 500}]
    assert stored(served, "SELECT request_id, done FROM halves FINAL") == [{"request_id": "alone", "done": 0}]
    assert stored(served, "SELECT count() AS n FROM dead_letters") == [{"n": 1}]
    assert stored(served, "SELECT model, count() AS n FROM models FINAL GROUP BY model ORDER BY model") == [
        {"model": "pairs", "n": 2},
        {"model": "rows", "n": 1},
    ]


def test_under_load_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    with up(tmp_path) as served, sending(served) as acknowledged:
        time.sleep(2)
        assert stopped(served, signal.SIGTERM) == 0
    rows = stored(served, "SELECT id FROM predictions FINAL")
    assert len(acknowledged) > 100
    assert {row["id"] for row in rows} >= set(acknowledged)


def test_a_step_that_takes_long_is_cut_short_and_its_window_stays_due(tmp_path: Path) -> None:
    """The step asks a model that never answers."""
    with create_server(("127.0.0.1", 0)) as silent:
        config = (
            f'models: {{m: {{endpoint: "http://127.0.0.1:{silent.getsockname()[1]}/v2/models/m"}}}}\n'
            "monitors: [{name: slow, model: m, reference: {first_rows: 50}, window: {rows: 50},"
            " steps: [{name: why, use: shapley}]}]\n"
        )
        with up(tmp_path, config) as served:
            for part in ("reference", "window"):
                rows = ({"id": f"{part}-{n}", "inputs": {"n": n}, "outputs": {"y": n}} for n in range(50))
                served.send("m", *rows)
            silent.settimeout(15)
            with silent.accept()[0]:
                assert stopped(served, signal.SIGTERM) == 0
    assert stored(served, "SELECT count() AS n FROM runs") == [{"n": 0}]


def test_a_call_under_way_does_not_hold_it_up(tmp_path: Path) -> None:
    with create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as caller:
        config = f'taps: [{{name: slow, upstream: "http://127.0.0.1:{silent.getsockname()[1]}"}}]\n'
        with up(tmp_path, config) as served:
            url = f"{served.url}/tap/slow/v2/models/slow/infer"
            call = caller.submit(requests.post, url, json={"id": "cut", "inputs": [TENSOR]}, timeout=20)
            silent.settimeout(15)
            with silent.accept()[0]:
                assert stopped(served, signal.SIGTERM) == 0
            assert call.exception(timeout=10) or call.result().status_code >= 500


def stopped(served: Up, *signals: signal.Signals) -> int:
    """The exit code; it has to come in time."""
    for sent in signals:
        served.process.send_signal(sent)
        time.sleep(0.05)
    return served.process.wait(STOP_SECONDS)


def stored(served: Up, sql: str) -> list[dict[str, Any]]:
    """What is in the folder that `served` has left."""
    engine = open_engine(served.store)
    try:
        return engine.rows(sql)
    finally:
        engine.close()


@contextmanager
def sending(served: Up) -> Iterator[list[str]]:
    """Eight clients that send as fast as they can; the ids of what was acknowledged."""
    acknowledged: list[str] = []
    stop = Event()
    with ThreadPoolExecutor(8) as clients:
        for client in range(8):
            clients.submit(_send, served, client, stop, acknowledged)
        try:
            yield acknowledged
        finally:
            stop.set()


def _send(served: Up, client: int, stop: Event, acknowledged: list[str]) -> None:
    session, number = requests.Session(), 0
    while not stop.is_set():
        number += 1
        ids = [f"{client}-{number}-{row}" for row in range(20)]
        body = {"model": "load", "predictions": [{"id": id, "inputs": {"n": number}} for id in ids]}
        try:
            answer = session.post(f"{served.url}/api/predictions", json=body, timeout=10)
        except requests.ConnectionError:
            return
        if answer.status_code == 202:
            acknowledged += ids
