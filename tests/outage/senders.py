"""Senders that keep on sending and know what was acknowledged, and how long that took."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import count
from threading import Event

ROWS_PER_CALL = 20
TENSOR = {"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [7]}


@dataclass
class Sent:
    """Ids answered 2xx, every status, and how many seconds each answer took, by when it came."""

    ids: list[str] = field(default_factory=list)
    statuses: "Counter[int]" = field(default_factory=Counter)
    seconds: list[tuple[float, float]] = field(default_factory=list)

    def post(self, connection: HTTPConnection, path: str, body: str, headers: dict[str, str]) -> bool:
        started = time.monotonic()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        now = time.monotonic()
        self.seconds.append((now, now - started))
        self.statuses[answer.status] += 1
        return answer.status // 100 == 2


@contextmanager
def sending(port: int, sent: Sent) -> Iterator[None]:
    """Two senders of rows and two of pairs, until the block ends."""
    stop, work = Event(), (rows, rows, pairs, pairs)
    with ThreadPoolExecutor(len(work)) as threads:
        running = [threads.submit(_send, send, port, f"s{n}", sent, stop) for n, send in enumerate(work)]
        try:
            yield
        finally:
            stop.set()
        for ended in running:
            ended.result()


Sender = Callable[[HTTPConnection, str, Sent], None]


def _send(send: Sender, port: int, name: str, sent: Sent, stop: Event) -> None:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        for number in count():
            if stop.is_set():
                return
            send(connection, f"{name}-{number}", sent)
            time.sleep(0.005)


def rows(connection: HTTPConnection, name: str, sent: Sent) -> None:
    """NDJSON; one row in twenty is of some day of the last weeks."""
    ids = [f"{name}-{row}" for row in range(ROWS_PER_CALL)]
    lines: list[dict[str, object]] = [{"model": "rows", "id": id, "inputs": {"x": 1.0}} for id in ids]
    lines[0]["time"] = (datetime.now(UTC) - timedelta(days=random.randrange(2, 20))).isoformat()
    body = "\n".join(map(json.dumps, lines))
    if sent.post(connection, "/api/predictions", body, {"content-type": "application/x-ndjson"}):
        sent.ids.extend(ids)


def pairs(connection: HTTPConnection, name: str, sent: Sent) -> None:
    """CloudEvents, in either order."""
    kinds = random.sample(["request", "response"], 2)
    if all(_half(connection, kind, name, sent) for kind in kinds):
        sent.ids.append(name)


def _half(connection: HTTPConnection, kind: str, id: str, sent: Sent) -> bool:
    headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": id,
        "ce-type": f"org.kubeflow.serving.inference.{kind}",
        "ce-source": "s",
        "ce-inferenceservicename": "pairs",
        "ce-namespace": "default",
    }
    body = {"inputs" if kind == "request" else "outputs": [TENSOR]}
    return sent.post(connection, "/", json.dumps(body), headers)
