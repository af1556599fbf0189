"""What the proxy tap adds to a V2 call: the example server called directly and through the tap, in turns."""

import http.client
import statistics
import sys
import time
from contextlib import closing

import orjson

from benchmarks.service import serve, up
from benchmarks.table import Row
from examples.breast_cancer import MODEL
from examples.breast_cancer.model import population

CALLS, PER_SECOND = 1_000, 100
TARGET_MS = 1.5
CONFIG = """
auto: false
taps: [{{name: clinic, upstream: "http://127.0.0.1:{port}"}}]
"""


def run() -> list[Row]:
    with (
        serve([sys.executable, "-m", "examples.breast_cancer.server"], "/v2/health/ready") as server,
        up(CONFIG.format(port=server.port)) as service,
        closing(http.client.HTTPConnection("127.0.0.1", server.port)) as direct,
        closing(http.client.HTTPConnection("127.0.0.1", service.port)) as tapped,
    ):
        alone, through = _latencies(direct, tapped)
        service.wait_for(f"SELECT count() = {CALLS} FROM predictions WHERE model = '{MODEL}'")
    added = (statistics.median(through) - statistics.median(alone)) * 1e3
    return [
        Row(
            f"a V2 call through the tap, {PER_SECOND} calls/s, median",
            f"{statistics.median(through) * 1e3:.2f} ms",
            f"{statistics.median(alone) * 1e3:.2f} ms: the same server called directly",
            f"+{added:.2f} ms",
            f"≤ +{TARGET_MS} ms",
            added <= TARGET_MS,
        )
    ]


def _latencies(direct: http.client.HTTPConnection, tapped: http.client.HTTPConnection) -> tuple[list[float], ...]:
    """Seconds of each call, directly and through the tap: a call of each in turn, so that both meet the same noise."""
    rows = population().held_out
    alone, through = [], []
    start = time.perf_counter()
    for call in range(CALLS):
        row = rows[call % len(rows)].tolist()
        tensor = {"name": "features", "shape": [1, len(row)], "datatype": "FP64", "data": row}
        body = orjson.dumps({"id": f"call-{call}", "inputs": [tensor]})
        time.sleep(max(0.0, start + call / PER_SECOND - time.perf_counter()))
        alone.append(_seconds(direct, f"/v2/models/{MODEL}/infer", body))
        through.append(_seconds(tapped, f"/tap/clinic/v2/models/{MODEL}/infer", body))
    return alone, through


def _seconds(connection: http.client.HTTPConnection, path: str, body: bytes) -> float:
    start = time.perf_counter()
    connection.request("POST", path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    seconds = time.perf_counter() - start
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} {path}: {content[:500]!r}")
    return seconds
