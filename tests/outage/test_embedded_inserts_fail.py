"""The embedded engine fails at random, before or after it has stored: every row and letter is stored once."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from collectors.building.exchanges import Exchange, Naming, to_rows
from collectors.storing.spool import Outcomes, Spool
from core.days import DAY_MICROS
from core.errors import StoreError, StoreUnavailable
from core.records import DeadLetter, Half, Payload, RequestKey, Tensor
from storage import open_engine
from storage.delivery.sink import StoreSink
from storage.engine import Engine, Limits
from storage.migrate import migrate

pytestmark = pytest.mark.alone

NOW = 1_800_000_000_000_000
FLUSHES = 150


class Failing:
    """An engine most of whose calls fail: at the way there, at the way back, for want of memory, of a right."""

    url = "failing://"

    def __init__(self, engine: Engine, chance: random.Random) -> None:
        self._engine, self._chance = engine, chance
        self.healed = False
        self.failed: Counter[str] = Counter()

    def insert(self, table: str, data: pa.Table | pa.RecordBatch, token: str = "") -> None:
        self._maybe(StoreUnavailable("connection refused"), StoreUnavailable("no memory", 241), StoreError("who?", 516))
        self._engine.insert(table, data, token)
        self._maybe(StoreUnavailable("reset by peer"), OSError(5, "Input/output error"))

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        self._maybe(StoreUnavailable("timeout"))
        return self._engine.rows(sql, params)

    def arrow(self, sql: str, params: Mapping[str, Any] | None = None, limits: Limits | None = None) -> pa.Table:
        return self._engine.arrow(sql, params, limits)

    def command(self, sql: str, params: Mapping[str, Any] | None = None) -> None: ...

    def close(self) -> None: ...

    def _maybe(self, *faults: Exception) -> None:
        fault = self._chance.choice(faults)
        if not self.healed and self._chance.random() < 0.35:
            self.failed[str(fault)] += 1
            raise fault


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"chdb://{tmp_path / 'store'}", own=True)
    migrate(engine)
    yield engine
    engine.close()


@pytest.mark.parametrize("seed", range(3))
def test_inserts_that_fail_before_or_after_they_are_stored_lose_and_double_nothing(engine: Engine, seed: int) -> None:
    engine.command("SYSTEM STOP MERGES predictions")
    engine.command("ALTER TABLE predictions ADD CONSTRAINT mine CHECK id NOT LIKE 'bad%'")
    failing = Failing(engine, chance := random.Random(seed))
    stored: list[str] = []
    refused: list[DeadLetter] = []
    outcomes = Outcomes(
        lambda batch: stored.extend(batch.column("id").to_pylist()), lambda letter, rows: refused.append(letter)
    )
    spool, sent = Spool(StoreSink(failing), outcomes), list[str]()
    for number in range(FLUSHES):
        sent += send(spool, chance, number)
        with suppress(StoreUnavailable):
            spool.drain(NOW + number * 1_000_000)
        while refused:
            spool.add_letter(refused.pop())
    failing.healed = True
    spool.drain(NOW, everything=True)
    for letter in refused:
        spool.add_letter(letter)
    spool.drain(NOW)
    bad = sorted(id for id in sent if id.startswith("bad"))
    good = sorted(set(sent) - set(bad))
    assert len(failing.failed) == 6 and failing.failed.total() > FLUSHES / 3
    assert sorted(stored) == good
    assert sorted(engine.arrow("SELECT id FROM predictions").column("id").to_pylist()) == good
    letters = engine.arrow("SELECT id, reason FROM dead_letters").to_pylist()
    assert sorted(letter["id"] for letter in letters if letter["reason"] == "store_refused") == bad
    assert sum(letter["reason"] == "bad_json" for letter in letters) == FLUSHES
    assert (spool.rows, spool.bytes) == (0, 0)


def send(spool: Spool, chance: random.Random, number: int) -> list[str]:
    """Some rows of many days, one bad one now and then, and a letter; returns the rows' ids."""
    name = "bad" if number % 15 == 7 else "good"
    spool.add(batch(f"{name}{number}", NOW - chance.randrange(6) * DAY_MICROS))
    spool.add(batch(f"good{number}-now", NOW, rows=3))
    spool.add_letter(DeadLetter(NOW + number % 2 * DAY_MICROS, "api", "bad_json", "", "", b"?", id=str(number)))
    return [f"{name}{number}", *(f"good{number}-now-{row}" for row in range(3))]


def batch(id: str, time: int, rows: int = 1) -> pa.RecordBatch:
    tensor = Tensor("x", np.arange(float(rows)))
    request = Half(RequestKey("default", "m", id), "request", Payload((tensor,), id), time, NOW, "api")
    unnamed = Naming(lambda tensor, width: (), lambda tensor, width: (), {})
    [group] = to_rows([Exchange(request, None)], lambda model: unnamed)
    return group.batch
