"""What is sent: rows, halves, calls through a proxy tap; some twice, some in conflict; and what was answered.

A sender lives over many lives of the server: it takes up what nobody answered, and sends things again that were.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from threading import Event
from typing import Any

from killable import chance

ROWS_PER_CALL = 5
AGAIN, CONFLICT = 0.2, 0.05  # shares
LATELY = 30  # things of a sender that may be sent again: far fewer than the server remembers
KINDS = ("request", "response")


class Gone(Exception):
    """No answer: nobody knows whether it was taken."""


class Client:
    """One connection. `answered` is called in the moment a 2xx has come."""

    def __init__(self, port: int, stop: Event | None = None, answered: Callable[[], None] = lambda: None) -> None:
        self._connection, self._stop, self._answered = HTTPConnection("127.0.0.1", port, timeout=20), stop or Event(), answered

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        if self._stop.is_set():
            raise Gone
        try:
            self._connection.request("POST", path, body, {"content-type": "application/json", **headers})
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException):
            raise Gone from None
        assert answer.status // 100 == 2, said
        self._answered()


@dataclass
class Call:
    """Rows that are sent together: all of them or none are there."""

    ids: list[str]
    value: int
    time: str = ""
    acknowledged: bool = False
    again: int = 0

    def send(self, client: Client) -> None:
        timed = {"time": self.time} if self.time else {}
        rows = [{"id": id, "inputs": {"x": self.value}, **timed} for id in self.ids]
        client.post("/api/predictions", json.dumps({"model": "r", "predictions": rows}).encode(), {})
        self.again += self.acknowledged
        self.acknowledged = True

    def other(self) -> "Call":
        return Call(self.ids, self.value + 1, self.time)


@dataclass
class Pair:
    """A request and a response; `sent` and `acknowledged` name those halves. One of `rows` rows has ids of its own."""

    id: str
    rows: int
    value: int
    time: str = ""
    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    again: int = 0

    @property
    def ids(self) -> list[str]:
        return [self.id] if self.rows == 1 else [f"{self.id}-{row}" for row in range(self.rows)]

    def send(self, client: Client, kind: str) -> None:
        name, side = ("x", "inputs") if kind == "request" else ("y", "outputs")
        tensor = {"name": name, "shape": [self.rows], "datatype": "FP64", "data": [self.value] * self.rows}
        said = {"ce-specversion": "1.0", "ce-id": self.id, "ce-source": "s", "ce-inferenceservicename": "m"}
        timed = {"ce-time": self.time} if self.time else {}
        self.sent.add(kind)
        typed = {"ce-type": f"org.kubeflow.serving.inference.{kind}", **said, **timed}
        client.post("/", json.dumps({side: [tensor]}).encode(), typed)
        self.again += kind in self.acknowledged
        self.acknowledged.add(kind)

    @property
    def whole(self) -> bool:
        return len(self.acknowledged) == 2

    def other(self) -> "Pair":
        return Pair(self.id, self.rows, self.value + 1, self.time)


class RowsSender:
    def __init__(self, name: str, timed: bool) -> None:
        self._name, self._timed = name, timed
        self.calls: list[Call] = []

    def run(self, client: Client) -> None:
        """Until the server is gone."""
        for call in self.calls[-LATELY:]:
            if chance(AGAIN if call.acknowledged else 0.5):
                call.send(client)
        while True:
            self._send(client, self._new())
            if chance(CONFLICT):
                self._send(client, self.calls[-1].other())
            if chance(AGAIN):
                random.choice(self.calls[-LATELY:]).send(client)

    def _send(self, client: Client, call: Call) -> None:
        self.calls.append(call)
        call.send(client)

    def _new(self) -> Call:
        number = len(self.calls)
        ids = [f"{self._name}-{number}-{row}" for row in range(ROWS_PER_CALL)]
        return Call(ids, 0, now() if self._timed else "")


class PairsSender:
    """Halves in either order: at once, much later, after a restart, or never."""

    def __init__(self, name: str, timed: bool) -> None:
        self._name, self._timed = name, timed
        self.pairs: list[Pair] = []
        self._late: list[tuple[Pair, str]] = []

    def run(self, client: Client) -> None:
        """Until the server is gone."""
        for pair, kind in self._unanswered():
            pair.send(client, kind)
        while True:
            self._next(client)
            if chance(AGAIN):
                pair = random.choice(self.pairs[-LATELY:])
                for kind in sorted(pair.acknowledged):
                    pair.send(client, kind)
            if self._late and chance(0.15):
                late, kind = self._late[random.randrange(len(self._late))]
                late.send(client, kind)
                self._late.remove((late, kind))

    def _unanswered(self) -> Iterator[tuple[Pair, str]]:
        """Half of what nobody answered, and some of what was answered."""
        for pair in self.pairs[-LATELY:]:
            for kind in sorted(pair.sent):
                if chance(AGAIN if kind in pair.acknowledged else 0.5):
                    yield pair, kind

    def _next(self, client: Client) -> None:
        pair = self._new()
        self.pairs.append(pair)
        kinds = random.sample(KINDS, 2)
        pair.send(client, kinds[0])
        what = random.random()
        if what < 0.7:
            pair.send(client, kinds[1])
        elif what < 0.9:
            self._late.append((pair, kinds[1]))
        if pair.whole and chance(CONFLICT):
            self.pairs.append(pair.other())
            for kind in kinds:
                self.pairs[-1].send(client, kind)

    def _new(self) -> Pair:
        return Pair(f"{self._name}-{len(self.pairs)}", random.choice([1, 1, 2]), 0, now() if self._timed else "")


class ProxySender:
    """Calls through the tap; `answered` is when each was, by the monotonic clock."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.answered: dict[str, float] = {}
        self.sent: list[str] = []

    def run(self, client: Client) -> None:
        """Until the server is gone."""
        tensor = {"name": "x", "shape": [1], "datatype": "FP64", "data": [0]}
        body = json.dumps({"inputs": [tensor]}).encode()
        while True:
            id = f"{self._name}-{len(self.sent)}"
            self.sent.append(id)
            client.post("/tap/t/v2/models/p/infer", body, {"x-request-id": id})
            self.answered[id] = time.monotonic()


Sender = RowsSender | PairsSender | ProxySender


def now() -> str:
    return datetime.now(UTC).isoformat()


def halves_of(pairs: Sequence[Pair]) -> dict[tuple[str, str, int], Pair]:
    """By request id, kind and value."""
    return {(pair.id, kind, pair.value): pair for pair in pairs for kind in pair.sent}


def value_of(body: bytes) -> int:
    """Of a half as it was sent."""
    said: dict[str, Any] = json.loads(body)
    return int((said.get("inputs") or said["outputs"])[0]["data"][0])
