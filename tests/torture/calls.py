"""What is sent, as often as it is sent, and what of it was acknowledged."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from client import Client


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


def halves_of(pairs: Sequence[Pair]) -> dict[tuple[str, str, int], Pair]:
    """By request id, kind and value."""
    return {(pair.id, kind, pair.value): pair for pair in pairs for kind in pair.sent}


def value_of(body: bytes) -> int:
    """Of a half as it was sent."""
    said: dict[str, Any] = json.loads(body)
    return int((said.get("inputs") or said["outputs"])[0]["data"][0])
