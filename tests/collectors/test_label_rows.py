"""Labels by themselves and beside predictions: what they say, which are sent again, and what the store refuses."""

from typing import Any

import orjson
import pyarrow as pa
import pytest
from sent import NOW
from sinks import ScriptedSink, collector

from collectors.building.naming import Names
from collectors.labels import labels_of
from collectors.labels.duplicates import LabelDuplicates
from collectors.labels.reading import read_labels
from collectors.labels.values import label_batch, label_value, shown
from collectors.rows import Defaults
from collectors.rows.arrow import read_arrow
from collectors.rows.records import read_json
from core.config import Config
from core.errors import Rejected

DEFAULTS = Defaults("default", "m", "", "api", NOW)


def labels(*values: str, **columns: Any) -> pa.RecordBatch:
    return label_batch([(NOW, NOW, "default", "m", f"id-{v}", "", v, None, "") for v in values])


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [
        (1, "1", 1.0),
        (3.0, "3", 3.0),
        (0.25, "0.25", 0.25),
        (True, "true", 1.0),
        (False, "false", 0.0),
        ("3", "3", None),
        ("", "", None),
        (2**53, str(2**53), 2.0**53),
        (2**53 + 1, str(2**53 + 1), None),
        (float("inf"), "inf", float("inf")),
    ],
)
def test_a_value_is_text_and_where_it_is_one_a_number(value: Any, text: str, number: float | None) -> None:
    assert label_value(value) == (text, number)
    assert shown(text, number) == (str(value) if number is None else value)


@pytest.mark.parametrize("value", [None, float("nan"), [1], {}])
def test_what_is_no_label_is_refused_by_its_field(value: Any) -> None:
    with pytest.raises(Rejected) as refused:
        label_value(value, "labels.churned")
    assert refused.value.field == "labels.churned"


def test_labels_beside_predictions_are_the_same_from_columns_and_from_json() -> None:
    rows = [
        {
            "id": "a",
            "time": "2023-01-01T00:00:00Z",
            "labels": {"paid": True, "class": "x", "amount": 2.5, "n": 2**53 + 1},
        },
        {"id": "b", "time": "2023-01-02T00:00:00Z", "labels": {"paid": None}},
        {"id": "c", "status": "bad", "labels": {"paid": False}},
        {"id": "d", "time": "2023-01-04T00:00:00Z", "labels": {"paid": False, "n": 7}},
    ]
    names = ("paid", "class", "amount", "n")
    columns = {f"labels.{name}": [row["labels"].get(name) for row in rows] for name in names}
    table = pa.table(
        {
            "id": [row["id"] for row in rows],
            "time": [row.get("time") for row in rows],
            "status": [200, 200, -1, 200],
            **columns,
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    naming = Names(Config())
    found = [
        read_arrow(sink.getvalue().to_pybytes(), DEFAULTS, naming),
        read_json(orjson.dumps({"predictions": rows}), DEFAULTS, naming),
    ]
    shown_of = [sorted(map(str, read.labels.batch.to_pylist())) for read in found if read.labels]
    assert shown_of[0] == shown_of[1] and len(shown_of[0]) == 6
    assert [sorted(read.labels.numbers) for read in found if read.labels] == [[0, 0, 0, 0, 3, 3]] * 2
    assert [len(read.rejected) for read in found] == [1, 1]


def test_labels_of_many_namespaces_are_read_with_what_the_call_says() -> None:
    body = {"namespace": "team", "labels": [{"id": 7, "value": 1}, {"id": "b", "namespace": "other", "value": "x"}]}
    read = read_labels(orjson.dumps(body), DEFAULTS)
    said = [(r["namespace"], r["model"], r["id"]) for r in read.batch.to_pylist()]
    assert said == [("team", "m", "7"), ("other", "m", "b")]


def test_among_labels_of_one_call_duplicates_are_told_too() -> None:
    told = LabelDuplicates().told(labels("x", "x", "y"))
    assert told.batch.column("value").to_pylist() == ["x", "y"] and told.duplicate.total() == 1


def test_labels_wait_for_the_store_and_those_it_refuses_are_letters_of_their_own() -> None:
    sink = ScriptedSink(away=2, refused="bad")
    taking = collector(sink)
    sent = labels("a", "bad", "c", "d")
    taking.ledger.count_all({"accepted": labels_of(sent)})
    taking.labels(sent)
    for _ in range(2):
        with pytest.raises(Exception, match="refused"):
            taking.flush()
        assert taking.difference() == 0 and taking.waiting_bytes > 0
    taking.flush()
    assert sorted(v for b in sink.labels for v in b.column("value").to_pylist()) == ["a", "c", "d"]
    [letter] = sink.letters
    assert (letter.source, letter.reason, letter.model, letter.rows) == ("labels", "store_refused", "m", 1)
    assert taking.difference() == 0 and taking.waiting_bytes == 0
