"""Labels in the store: every revision once, and the one that counts."""

from typing import Any

import pyarrow as pa

from core.records import LABELS, TIME, ModelKey
from storage.delivery.sink import StoreSink
from storage.engine import Engine
from storage.lookup.labels import StoredIds, newest_labels, revisions

MODEL = ModelKey("default", "m")


def labels(*rows: tuple[str, str, int, int], model: str = "m") -> pa.RecordBatch:
    """(id, value, time, received), both in seconds; values of digits are numbers."""
    columns: dict[str, Any] = {
        "time": pa.array([r[2] * 1_000_000 for r in rows], pa.int64()).cast(TIME),
        "received": pa.array([r[3] * 1_000_000 for r in rows], pa.int64()).cast(TIME),
        **{n: [v] * len(rows) for n, v in {"namespace": "default", "model": model, "name": "y", "source": ""}.items()},
        "id": [r[0] for r in rows],
        "value": [r[1] for r in rows],
        "num": [float(r[1]) if r[1].isdigit() else None for r in rows],
    }
    return pa.RecordBatch.from_pydict(columns, schema=LABELS)


def newest(engine: Engine) -> dict[str, Any]:
    relation = newest_labels(MODEL)
    rows = engine.rows(f"SELECT id, value, num FROM {relation.sql}", relation.params)
    return {row["id"]: (row["value"], row["num"]) for row in rows}


def test_the_newest_time_then_the_newest_receipt_counts_and_text_replaces_numbers(store: Engine) -> None:
    sink = StoreSink(store)
    sink.store_labels(labels(("a", "1", 10, 100), ("a", "2", 20, 101), ("b", "1", 10, 100), ("c", "1", 10, 100)))
    sink.store_labels(labels(("a", "3", 15, 300), ("b", "no", 10, 200)))
    assert newest(store) == {"a": ("2", 2.0), "b": ("no", None), "c": ("1", 1.0)}
    assert [row["value"] for row in revisions(store, MODEL, ["a"])] == ["2", "3", "1"]


def test_an_equal_label_sent_again_late_is_stored_once_and_replaces_no_correction(store: Engine) -> None:
    sink = StoreSink(store)
    for value, received in (("1", 100), ("2", 101), ("1", 102)):
        sink.store_labels(labels(("a", value, 10, received)))
    assert newest(store) == {"a": ("2", 2.0)}
    assert len(revisions(store, MODEL, ["a"])) == 2


def test_a_label_without_a_model_is_of_whichever_has_the_id(store: Engine) -> None:
    sink = StoreSink(store)
    sink.store_labels(labels(("a", "1", 10, 100), model=""))
    sink.store_labels(labels(("a", "2", 20, 100), model="other"))
    assert newest(store) == {"a": ("1", 1.0)}


def test_ids_are_known_as_those_of_predictions_or_of_requests(store: Engine) -> None:
    store.command(
        "INSERT INTO predictions (time, received, namespace, model, id, row)"
        " SELECT now64(6), now64(6), 'default', m, id, 0 FROM values('m String, id String',"
        " ('m', 'one'), ('n', 'one'), ('m', 'many-0'), ('m', 'many-1'))"
    )
    known = StoredIds(store).known("default", {"one", "many", "none"})
    assert (known["one"].predictions, known["many"].requests) == ({"m", "n"}, {"m"})
    assert not any(known["none"]) and not any(StoredIds(store).known("team", {"one"})["one"])
