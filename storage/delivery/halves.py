"""`core.protocols.HalfStore` over an engine."""

from base64 import b64decode
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa

from core.records import TIME, Half, HalfId, ModelKey, Payload, RequestKey
from core.times import from_micros, to_micros
from storage.delivery.inserts import insert
from storage.engine import Engine
from storage.engines.columns import STRINGS, text_array

_TEXTS = ("source", "error", "trace_id", "kind")
BYTES_PER_INSERT = 64 << 20  # of bodies; one half may be larger
HALVES_PER_INSERT = 100_000
IDS_PER_QUERY = 500  # parameters travel in the URL of a server's query

# Bodies are any bytes, and text columns of a result must be UTF-8.
HALF_COLUMNS = "* REPLACE (base64Encode(body) AS body)"

# Of the rows of a half the one changed last counts: completed it stays so, when its collector keeps it once more.
COMPLETED = 4_102_444_800_000_000  # microseconds: the year 2100


class StoreHalves:
    """`collector` tells whose halves these are, for `left`."""

    def __init__(self, engine: Engine, collector: str = "") -> None:
        self._engine, self._collector = engine, collector

    def keep(self, halves: Sequence[Half]) -> None:
        if halves:
            self._insert(halves, done=0)

    def kept(self, keys: Collection[RequestKey]) -> list[Half]:
        return [half for model, ids in _by_model(keys) for half in self._kept(model, ids)]

    def complete(self, halves: Sequence[Half]) -> None:
        if halves:
            self._insert(halves, done=1)

    def predicted(self, ids: Collection[RequestKey]) -> list[dict[str, Any]]:
        return [
            row
            for model, some in _by_model(ids)
            for row in self._engine.rows(
                "SELECT * FROM predictions WHERE namespace = {namespace:String} AND model = {model:String} "
                "AND id IN {ids:Array(String)}",
                {"namespace": model.namespace, "model": model.model, "ids": some},
            )
        ]

    def left(self, since: int) -> list[HalfId]:
        rows = self._engine.rows(
            "SELECT namespace, model, request_id, kind, received FROM halves FINAL WHERE collector = {own:String} "
            "AND received >= {since:DateTime64(6, 'UTC')} AND done = 0 ORDER BY received",
            {"own": self._collector, "since": from_micros(since)},
        )
        return [
            HalfId(RequestKey(r["namespace"], r["model"], r["request_id"]), r["kind"], to_micros(r["received"]))
            for r in rows
        ]

    def _kept(self, model: ModelKey, ids: list[str]) -> list[Half]:
        rows = self._engine.rows(
            f"SELECT {HALF_COLUMNS} FROM halves FINAL "
            "WHERE namespace = {namespace:String} AND model = {model:String} "
            "AND request_id IN {ids:Array(String)} AND done = 0 ORDER BY received",
            {"namespace": model.namespace, "model": model.model, "ids": ids},
        )
        return [half_of(row) for row in rows]

    def _insert(self, halves: Sequence[Half], done: int) -> None:
        """A half that is inserted twice is one."""
        for some in _by_bytes(halves):
            insert(self._engine, "halves", _table(some, done, self._collector))


def _by_model(keys: Collection[RequestKey]) -> Iterator[tuple[ModelKey, list[str]]]:
    """The request ids of each model, at most IDS_PER_QUERY at once."""
    found: dict[ModelKey, list[str]] = defaultdict(list)
    for key in sorted(keys):
        found[ModelKey(key.namespace, key.model)].append(key.request_id)
    for model, ids in found.items():
        for start in range(0, len(ids), IDS_PER_QUERY):
            yield model, ids[start : start + IDS_PER_QUERY]


def _by_bytes(halves: Sequence[Half]) -> Iterator[Sequence[Half]]:
    start = size = 0
    for end, half in enumerate(halves):
        size += len(half.body)
        if end > start and (size > BYTES_PER_INSERT or end - start >= HALVES_PER_INSERT):
            yield halves[start:end]
            start, size = end, len(half.body)
    yield halves[start:]


def _table(halves: Sequence[Half], done: int, collector: str) -> pa.Table:
    columns: dict[str, Any] = {name: text_array([getattr(h, name) for h in halves]) for name in _TEXTS}
    for position, name in enumerate(("namespace", "model", "request_id")):
        columns[name] = text_array([h.key[position] for h in halves])
    for name in ("time", "received"):
        columns[name] = pa.array([getattr(h, name) for h in halves], pa.int64()).cast(TIME)
    for name in ("tags", "headers"):
        columns[name] = pa.array([list(dict(getattr(h, name)).items()) for h in halves], STRINGS)
    columns["latency"] = pa.array([h.latency for h in halves], pa.float64())
    columns["status"] = pa.array([h.status for h in halves], pa.uint16())
    columns["body"] = pa.array([b"" if done else h.body for h in halves], pa.binary())
    columns["done"] = pa.array([done] * len(halves), pa.uint8())
    columns["collector"] = text_array([collector] * len(halves))
    if done:
        columns["changed"] = pa.array([COMPLETED] * len(halves), pa.int64()).cast(TIME)
    return pa.table(columns)


def half_of(row: dict[str, Any]) -> Half:
    """A row of the table `halves`; its payload is empty until `body` is decoded again."""
    return Half(
        RequestKey(row["namespace"], row["model"], row["request_id"]),
        row["kind"],
        Payload(()),
        to_micros(row["time"]),
        to_micros(row["received"]),
        row["source"],
        row["status"],
        row["error"],
        row["latency"],
        row["trace_id"],
        tuple(row["tags"].items()),
        tuple(row["headers"].items()),
        b64decode(row["body"]),
    )
