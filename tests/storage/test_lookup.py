"""Predictions by id and by filter."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from test_sink import NOW, rows

from core.days import DAY_MICROS
from core.errors import Rejected
from core.records import FieldInfo, ModelKey
from core.times import from_micros
from storage.delivery.sink import StoreSink
from storage.engine import Engine
from storage.engines.embedded import EmbeddedEngine
from storage.lookup.cursor import pack, unpack
from storage.lookup.predictions import PAGE_KEY, Filter, Wanted, find, list_predictions, models, traffic


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in found]


def stored(engine: Engine, *batches: pa.RecordBatch) -> Engine:
    for batch in batches:
        StoreSink(engine).store(batch)
    return engine


def request(id: str, count: int, **columns: Any) -> pa.RecordBatch:
    return rows(*(f"{id}-{n}" for n in range(count)), row=list(range(count)), **columns)


def test_one_prediction_by_its_id(engine: EmbeddedEngine) -> None:
    stored(engine, rows("a", "b"), request("c", 2))
    assert ids(find(engine, Wanted("a"))) == ["a"]
    assert ids(find(engine, Wanted("c-1"))) == ["c-1"]
    assert find(engine, Wanted("nobody")) == []


def test_a_request_of_several_rows_by_its_id_in_their_order(engine: EmbeddedEngine) -> None:
    stored(engine, request("r", 12), request("r-1", 2), rows("r-x"))
    assert ids(find(engine, Wanted("r"))) == [f"r-{n}" for n in range(12)]


def test_rows_sent_twice_are_found_once_and_conflicts_as_often_as_they_differ(engine: EmbeddedEngine) -> None:
    stored(engine, rows("a"), rows("a", received=[NOW + 9]), rows("a", content=[7]))
    found = find(engine, Wanted("a"))
    assert sorted(row["content"] for row in found) == [7, 2**64 - 1]
    assert {row["received"] for row in found} == {from_micros(NOW), from_micros(NOW + 9)}


def test_a_request_with_a_conflicting_first_row_is_not_shown_twice(engine: EmbeddedEngine) -> None:
    stored(engine, request("r", 2), request("r", 1, content=[7]))
    assert ids(find(engine, Wanted("r"))) == ["r-0", "r-0", "r-1"]


def test_the_same_id_of_other_models_is_told_apart(engine: EmbeddedEngine) -> None:
    stored(engine, rows("a"), rows("a", model=["n"]), rows("a", namespace=["team"]))
    assert len(find(engine, Wanted("a"))) == 3
    assert len(find(engine, Wanted("a", model="n"))) == 1
    assert len(find(engine, Wanted("a", namespace="team", model="m"))) == 1


def test_a_time_narrows_to_its_day(engine: EmbeddedEngine) -> None:
    stored(engine, rows("a"), rows("a", time=[NOW - DAY_MICROS]))
    [row] = find(engine, Wanted("a", time=from_micros(NOW + 1)))
    assert row["time"] == from_micros(NOW)


def test_lists_are_the_newest_first_and_narrowed_by_every_filter(store: Engine) -> None:
    times = [NOW, NOW + 1, NOW + 2, NOW + 3]
    tags = [[("k", "v")], [], [("k", "w")], [("k", "v")]]
    stored(
        store, rows("a", "b", "c", "d", time=times, tags=tags, status=[200, 500, 500, 0], model=["m", "m", "n", "m"])
    )
    moment = from_micros(NOW)

    def listed(**wanted: Any) -> str:
        return "".join(ids(list_predictions(store, Filter(**wanted))))

    assert listed() == "dcba"
    assert listed(model="n") == "c" and listed(namespace="none") == ""
    assert listed(since=moment + timedelta(microseconds=1), until=moment + timedelta(microseconds=3)) == "cb"
    assert listed(tag=("k", "v")) == "da" and listed(tag=("k", "")) == ""
    assert listed(status=500) == "cb" and listed(status=0) == "d"
    assert listed(limit=2) == "dc"


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_pages_show_every_row_once_even_where_keys_are_in_conflict(engine: EmbeddedEngine, size: int) -> None:
    stored(engine, rows("a", "b", "c"), rows("b", content=[1]), rows("b", model=["n"]), rows("b", namespace=["team"]))
    seen, after = [], None
    while page := list_predictions(engine, Filter(limit=size, after=after)):
        seen += [tuple(row[name] for name in PAGE_KEY) for row in page]
        after = unpack(pack(seen[-1]), [*PAGE_KEY.values()])
    assert len(seen) == len(set(seen)) == 6


@pytest.mark.parametrize(
    "cursor", ["?", "bm90IGpzb24=", pack(["only one"]), pack(["x"] * 5), "é", pack([10**30 * 1.0] * 5)]
)
def test_a_cursor_of_one_s_own_making_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected) as caught:
        unpack(cursor, [*PAGE_KEY.values()])
    assert (caught.value.status, caught.value.field) == (400, "cursor")


def test_models_are_shown_with_their_fields_and_their_traffic(engine: EmbeddedEngine) -> None:
    stored(engine, rows("a", "b", "c", status=[200, 500, 200], time=[NOW, NOW + 1, NOW]), rows("a", version=["v2"]))
    field = FieldInfo(ModelKey("", "m"), "", "age", "input", "num", "x", 1, 2, "FP64")
    StoreSink(engine).store_fields([field, field._replace(name="pay", position=0)])
    assert [row["field"] for row in models(engine)] == ["pay", "age"]
    assert [(row["version"], row["predictions"], row["failed"]) for row in traffic(engine)] == [
        ("", 3, 1),
        ("v2", 1, 0),
    ]
    assert traffic(engine)[0]["last_time"] == from_micros(NOW + 1)
