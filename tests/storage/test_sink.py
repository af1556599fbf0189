"""What collectors accept, in the tables."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.days import DAY_MICROS
from core.records import LETTER_BYTES, NAME, PREDICTIONS, TIME, DeadLetter, FieldInfo, ModelKey
from storage.delivery.inserts import ROWS_PER_INSERT
from storage.delivery.sink import StoreSink
from storage.engine import Engine
from storage.engines.embedded import EmbeddedEngine

NOW = 1_800_000_000_000_000


def rows(*ids: str, **columns: Any) -> pa.RecordBatch:
    """Predictions with these ids; a keyword replaces a column, row by row."""
    n = len(ids)
    maps = {f.name: pa.array([[]] * n, f.type) for f in PREDICTIONS if pa.types.is_map(f.type)}
    numbers = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), ["x"])
    maps["inputs_num"] = pa.MapArray.from_arrays(
        pa.array(range(n + 1), pa.int32()), numbers, pa.array(np.arange(n, dtype=float)), pa.map_(NAME, pa.float64())
    )
    said = {"id": ids, "row": [0] * n, "content": [2**64 - 1] * n, "status": [200] * n, "weight": [1.0] * n}
    said |= {name: [""] * n for name in ("namespace", "version", "source", "error", "trace_id")}
    said |= {"model": ["m"] * n, "latency": [0.5] * n, **columns}
    times = {name: pa.array(said.pop(name, [NOW] * n), pa.int64()).cast(TIME) for name in ("time", "received")}
    return pa.RecordBatch.from_pydict({**maps, **said, **times}, schema=PREDICTIONS)


def count(engine: Engine, condition: str = "1") -> int:
    return int(engine.rows(f"SELECT count() AS n FROM predictions WHERE {condition}")[0]["n"])


def test_a_prediction_comes_back_as_it_was_stored(store: Engine, engine: EmbeddedEngine) -> None:
    batch = rows("a", "b", error=["", "späte Antwort"], latency=[0.25, float("nan")], tags=[[("k", "v")], []])
    StoreSink(store).store(batch)
    found = engine.arrow(f"SELECT {', '.join(PREDICTIONS.names)} FROM predictions ORDER BY id")
    assert repr(found.to_pylist(maps_as_pydicts="strict")) == repr(batch.to_pylist(maps_as_pydicts="strict"))


@pytest.mark.parametrize(
    "other",
    [
        {"model": ["n", "n"]},
        {"namespace": ["team", "team"]},
        {"time": [NOW, NOW + 1]},
        {"received": [NOW + 1, NOW]},
        {"content": [1, 2]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_rows_under_the_same_ids_are_not_taken_for_those(engine: EmbeddedEngine, other: dict[str, Any]) -> None:
    """An insert token that two batches share silently discards the second."""
    StoreSink(engine).store(rows("a", "b"))
    StoreSink(engine).store(rows("a", "b", **other))
    assert count(engine) == 4


def test_rows_of_many_days_are_stored(engine: EmbeddedEngine) -> None:
    """One insert over more than 100 days is refused by ClickHouse."""
    days = 120
    StoreSink(engine).store(rows(*map(str, range(days)), time=[NOW - day * DAY_MICROS for day in range(days)]))
    assert count(engine) == days
    assert engine.rows("SELECT count(DISTINCT batch) AS n FROM predictions") == [{"n": days}]


def test_no_rows_are_no_insert(engine: EmbeddedEngine) -> None:
    StoreSink(engine).store(rows("a").slice(0, 0))
    assert count(engine) == 0


def test_equal_rows_collapse_and_conflicting_ones_stay(engine: EmbeddedEngine) -> None:
    sink = StoreSink(engine)
    sink.store(rows("a"))
    sink.store(rows("a", received=[NOW + 5]))
    sink.store(rows("a", content=[7]))
    found = engine.rows("SELECT content FROM predictions FINAL ORDER BY content")
    assert [row["content"] for row in found] == [7, 2**64 - 1]


def test_fields_are_kept_once(engine: EmbeddedEngine) -> None:
    field = FieldInfo(ModelKey("default", "m"), "v1", "age", "input", "num", "x", 3, 4, "FP32")
    StoreSink(engine).store_fields({field})
    StoreSink(engine).store_fields([field, field._replace(name="pay", position=0)])
    found = engine.rows("SELECT * EXCEPT first_seen FROM models FINAL ORDER BY field")
    assert found[0] == {
        "namespace": "default",
        "model": "m",
        "version": "v1",
        "field": "age",
        "role": "input",
        "kind": "num",
        "tensor": "x",
        "position": 3,
        "width": 4,
        "datatype": "FP32",
    }
    assert [row["field"] for row in found] == ["age", "pay"]


def test_a_dead_letter_keeps_any_bytes_and_any_words(engine: EmbeddedEngine) -> None:
    body = bytes(range(256))
    letter = DeadLetter(
        NOW, "api", "bad_json", "lone \ud800 surrogate", "inputs.\udfff", body, "ns", "m", "i", (("a", "b"),)
    )
    StoreSink(engine).store_dead_letters(
        [letter, DeadLetter(NOW, "api", "too_large", "", "", b"x" * (LETTER_BYTES + 1)).cut()]
    )
    small, large = engine.rows(
        "SELECT hex(body) AS bytes, length(body) AS kept, body_bytes, detail, field, headers, id "
        "FROM dead_letters ORDER BY body_bytes"
    )
    assert bytes.fromhex(small["bytes"]) == body
    assert (small["detail"], small["field"], small["headers"], small["id"]) == (
        "lone ? surrogate",
        "inputs.?",
        {"a": "b"},
        "i",
    )
    assert (large["kept"], large["body_bytes"]) == (LETTER_BYTES, LETTER_BYTES + 1)


def test_a_large_batch_is_stored_whole_by_several_inserts_at_once(engine: Engine) -> None:
    ids = [str(n) for n in range(ROWS_PER_INSERT + 10)]
    StoreSink(engine).store(rows(*ids))
    assert count(engine) == len(ids)
    assert engine.rows("SELECT uniqExact(batch) AS inserts FROM predictions") == [{"inserts": 2}]


@pytest.mark.parametrize("width", [1, 3000], ids=["narrow", "wide"])
def test_one_insert_is_one_part_of_one_day_and_one_batch(store: Engine, engine: EmbeddedEngine, width: int) -> None:
    engine.command("SYSTEM STOP MERGES predictions")
    n = 120_000 if width == 1 else 8_000
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(n + 1, dtype=np.int32) * width), pa.array(np.zeros(n * width, np.float32))
    )
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), ["v"])
    vectors = pa.MapArray.from_arrays(
        pa.array(np.arange(n + 1, dtype=np.int32)), names, lists, PREDICTIONS.field("inputs_vec").type
    )
    batch = rows(*map(str, range(n)), time=[NOW + row % 2 * DAY_MICROS for row in range(n)])
    StoreSink(store).store(batch.set_column(batch.schema.get_field_index("inputs_vec"), "inputs_vec", vectors))
    parts = engine.rows(
        "SELECT _part, uniqExact(batch) AS batches, uniqExact(toDate(time)) AS days FROM predictions GROUP BY _part"
    )
    assert {(part["batches"], part["days"]) for part in parts} == {(1, 1)}
    assert [{"n": len(parts)}] == engine.rows("SELECT uniqExact(batch) AS n FROM predictions")
    assert count(engine) == n and len(parts) == 2
