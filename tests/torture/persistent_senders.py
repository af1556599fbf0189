"""Who sends: rows, halves, calls through a proxy tap; some twice, some in conflict.

A sender lives over many lives of the server: it takes up what nobody answered, and sends things again that were.
"""

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from calls import Call, Pair
from client import Client
from killable import chance

ROWS_PER_CALL = 5
AGAIN, CONFLICT = 0.2, 0.05  # shares
LATELY = 30  # things of a sender that may be sent again: far fewer than the server remembers
KINDS = ("request", "response")


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
