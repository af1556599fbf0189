"""What goes wrong in Tidemark itself: a 500 as problem details, counted, and the payload kept as a dead letter."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from collectors.accepting.intake import Intake
from collectors.accounting.ledger import Ledger
from collectors.accounting.receipts import Receipts
from collectors.building.naming import Names
from collectors.collector import Collector, Ports
from collectors.halves.pairing import Pairing
from collectors.taps.events import EventsTap, decoded_again
from collectors.taps.ports import Ports as TapPorts
from collectors.taps.rows import RowsTap
from core.config import Config, Limits
from core.metrics import Metrics
from core.records import DeadLetter, FieldInfo, Half, HalfId, RequestKey
from storage.delivery.journal import StoreJournal
from storage.wal import Log, Settings
from tidemark.app import ASGI

EVENT = {
    "ce-id": "e1",
    "ce-type": "org.kubeflow.serving.inference.request",
    "ce-source": "http://localhost:9081/",
    "ce-specversion": "1.0",
    "ce-inferenceservicename": "m",
    "content-type": "application/json",
}


class Letters:
    """A store that keeps only dead letters."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    def store(self, predictions: pa.RecordBatch) -> None: ...

    def store_labels(self, labels: pa.RecordBatch) -> None: ...

    def store_fields(self, fields: Iterable[FieldInfo]) -> None: ...

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self.letters += letters

    def keep(self, halves: Sequence[Half]) -> None: ...

    def kept(self, keys: Iterable[RequestKey]) -> list[Half]:
        return []

    def complete(self, halves: Sequence[Half]) -> None: ...

    def predicted(self, ids: Collection[RequestKey]) -> Sequence[Mapping[str, Any]]:
        return []

    def left(self, since: int) -> Sequence[HalfId]:
        return []

    def store_ledger(self, collector: str, entries: Sequence[Mapping[str, Any]]) -> None: ...

    def newest(self, rows: int) -> pa.Table:
        raise AssertionError("nothing is resumed here")


def failing_once() -> Callable[[], int]:
    """A clock that fails the first time it is asked: something no payload can be blamed for."""
    answers: Iterator[int] = iter([1, 2, 3])

    def clock() -> int:
        now = next(answers)
        if now == 1:
            raise ZeroDivisionError("the clock is broken")
        return now

    return clock


@pytest.mark.parametrize(
    ("tap", "headers", "body"),
    [
        ("events", EVENT, b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]}'),
        ("api", {"content-type": "application/json"}, b'{"model": "m", "predictions": [{"inputs": {"x": 1}}]}'),
    ],
)
def test_an_error_of_its_own_is_answered_counted_and_kept(
    tmp_path: Path, tap: str, headers: dict[str, str], body: bytes
) -> None:
    store, metrics, names, clock = Letters(), Metrics(), Names(Config()), failing_once()
    ledger = Ledger()
    collector = Collector(Ports(store, Pairing(store, decoded_again), names, metrics, lambda: 0, ledger, 2**20))
    log = Log(tmp_path / "log", Settings())
    intake = Intake(StoreJournal(log), collector, decoded_again, lambda: 0)
    apps: dict[str, ASGI] = {
        "events": EventsTap(TapPorts(intake, Receipts(ledger, metrics, "events"), Limits(), clock)),
        "api": RowsTap(TapPorts(intake, Receipts(ledger, metrics, "api"), Limits(), clock), names),
    }
    status, said = asyncio.run(called(apps[tap], headers, body))
    intake.read_on()
    collector.close()
    log.close()
    assert (status, said["status"], said["reason"]) == (500, 500, "internal")
    assert "ZeroDivisionError: the clock is broken" in said["detail"]
    counted = metrics.registry.get_sample_value("tidemark_events_total", {"tap": tap, "outcome": "error"})
    assert counted == 1
    (letter,) = store.letters
    assert (letter.source, letter.reason, letter.body) == (tap, "internal", body)


async def called(app: ASGI, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await app({"type": "http", "method": "POST", "headers": raw, "query_string": b""}, receive, send)
    return sent[0]["status"], orjson.loads(sent[1]["body"])
