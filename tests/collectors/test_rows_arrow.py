"""Predictions as Arrow IPC streams."""

import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import NOW, as_rows

from collectors.building.naming import Names
from collectors.rows import Defaults, RowsRead
from collectors.rows.arrow import read_arrow
from core.config import Limits, parse
from core.errors import Rejected
from core.records import PREDICTIONS
from core.times import from_micros, micros

DEFAULTS = Defaults("default", "m", "", "api", NOW)
NAMES = Names(parse("models: {m: {fields: {code: {kind: cat}}}}"))
ONE_MB = Limits(body_bytes=2**20)


def stream(columns: Any, compression: str | None = None) -> bytes:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    body: bytes = buffer.getvalue().to_pybytes()
    return body


def read(columns: Any, defaults: Defaults = DEFAULTS) -> RowsRead:
    return read_arrow(stream(columns), defaults, NAMES)


def rows(columns: Any) -> list[dict[str, Any]]:
    found = read(columns)
    assert not found.rejected
    return as_rows(found.batch)


def refusal(body: bytes, limits: Limits = DEFAULTS.limits) -> Rejected:
    with pytest.raises(Rejected) as caught:
        read_arrow(body, DEFAULTS._replace(limits=limits), NAMES)
    return caught.value


def test_columns_are_fields_tags_and_scalars_by_their_names() -> None:
    [first, second] = rows(
        {
            "id": ["a", "b"],
            "model": ["m", "n"],
            "version": pa.array([None, "v2"]),
            "time": pa.array([NOW, NOW - 1], pa.timestamp("us", tz="UTC")),
            "inputs.age": [41.0, None],
            "inputs.a.b": [1, 2],
            "inputs.country": ["NZ", None],
            "outputs.p": [0.5, np.nan],
            "inputs.v": [[1.0, 2.0], None],
            "tags.customer": ["7", None],
            "status": [200, 500],
            "error": [None, "boom"],
            "latency": [0.1, None],
            "weight": [1, 4],
            "trace_id": ["f" * 32, None],
        }
    )
    assert list(first) == PREDICTIONS.names
    assert (first["inputs_num"], first["inputs_cat"]) == ({"age": 41.0, "a.b": 1.0}, {"country": "NZ"})
    assert (first["inputs_vec"], first["outputs_num"], first["tags"]) == (
        {"v": [1.0, 2.0]},
        {"p": 0.5},
        {"customer": "7"},
    )
    assert (second["inputs_num"], second["inputs_cat"], second["inputs_vec"]) == ({"a.b": 2.0}, {}, {})
    said = ("id", "model", "version", "status", "error", "weight", "trace_id", "tags", "outputs_num")
    assert [second[name] for name in said] == ["b", "n", "v2", 500, "boom", 4.0, "", {}, {}]
    assert first["time"] == from_micros(NOW) and first["latency"] == 0.1


@pytest.mark.parametrize(
    ("column", "num"),
    [
        (pa.array([True, False]), [1.0, 0.0]),
        (pa.array([-3, 4], pa.int8()), [-3.0, 4.0]),
        (pa.array([3, None], pa.uint64()), [3.0, None]),
        (pa.array(np.array([1.5, np.inf], np.float16)), [1.5, np.inf]),
        (pa.array([1.5, 2.5], pa.float32()), [1.5, 2.5]),
        (pa.array([decimal.Decimal("1.25"), None]), [1.25, None]),
        (pa.array([7, 8]).dictionary_encode(), [7.0, 8.0]),
        (pa.array([2**53, -(2**53)]), [2.0**53, -(2.0**53)]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_every_numeric_type_is_a_number(column: pa.Array, num: list[float | None]) -> None:
    assert [row["inputs_num"].get("x") for row in rows({"inputs.x": column})] == num


@pytest.mark.parametrize(
    ("column", "cat"),
    [
        (pa.array(["a", None]), ["a", None]),
        (pa.array(["a", ""], pa.large_string()), ["a", ""]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([2**53 + 1, 3]), ["9007199254740993", None]),
        (pa.array([decimal.Decimal(10**30 + 1), 3], pa.decimal128(38)), [str(10**30 + 1), None]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_every_text_type_and_inexact_integers_are_categories(column: pa.Array, cat: list[str | None]) -> None:
    assert [row["inputs_cat"].get("x") for row in rows({"inputs.x": column})] == cat


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, 2], [3, 4]]),
        pa.array([[1.0, 2.0], [3.0, 4.0]], pa.large_list(pa.float16())),
        pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64(), 2)),
        pa.FixedShapeTensorArray.from_numpy_ndarray(np.array([[1.0, 2.0], [3.0, 4.0]])),
    ],
    ids=lambda value: str(value.type)[:20],
)
def test_every_list_of_numbers_is_a_vector(column: pa.Array) -> None:
    assert [row["inputs_vec"]["x"] for row in rows({"inputs.x": column})] == [[1.0, 2.0], [3.0, 4.0]]


def test_missing_vectors_and_values_in_them() -> None:
    found = rows({"inputs.x": pa.array([[1.0, None], None, [None, None]])})
    assert np.isnan(found[0]["inputs_vec"]["x"][1])
    assert [row["inputs_vec"] for row in found[1:]] == [{}, {}]
    assert rows({"inputs.x": [[True, False]]})[0]["inputs_vec"] == {"x": [1.0, 0.0]}


def test_a_number_declared_as_a_category_is_text() -> None:
    assert rows({"inputs.code": [3, 4]})[0]["inputs_cat"] == {"code": "3"}
    assert rows({"inputs.code": [3.0, 4.5]})[1]["inputs_cat"] == {"code": "4.5"}


@pytest.mark.parametrize(
    "times",
    [
        pa.array([NOW, None], pa.timestamp("us", tz="UTC")),
        pa.array([NOW * 1000 + 999, None], pa.timestamp("ns")),
        pa.array([NOW // 1000, None], pa.timestamp("ms", tz="Pacific/Auckland")),
        pa.array([NOW // 10**6, None], pa.timestamp("s")),
        pa.array([NOW // 10**6, None]),
        pa.array([NOW / 1e6, np.nan]),
        pa.array(["2027-01-15T08:00:00Z", None]),
        pa.array(["2027-01-15T08:00:00", None]).dictionary_encode(),
    ],
    ids=lambda value: str(value.type),
)
def test_a_time_is_a_timestamp_text_or_seconds(times: pa.Array) -> None:
    received = NOW + 60_000_000
    found = as_rows(read({"time": times}, DEFAULTS._replace(received=received)).batch)
    assert [row["time"] for row in found] == [from_micros(NOW), from_micros(received)]


def test_a_date_is_its_midnight() -> None:
    [row] = rows({"time": pa.array([datetime.date(2027, 1, 15)])})
    assert row["time"] == from_micros(micros("2027-01-15T00:00:00Z"))


@pytest.mark.parametrize(
    ("time", "original"),
    [
        (pa.array([NOW + 3_600_000_001], pa.timestamp("us")), "2027-01-15T09:00:00.000001Z"),
        (pa.array([946_684_799], pa.timestamp("s")), "1999-12-31T23:59:59.000000Z"),
        (pa.array([2**62], pa.timestamp("s")), "4611686018427000000"),
        (pa.array([float("-inf")]), "-4611686018426999808"),
        (pa.array([0]), "1970-01-01T00:00:00.000000Z"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else "",
)
def test_a_time_that_cannot_be_meant_is_ours_and_the_original_is_kept(time: pa.Array, original: str) -> None:
    [row] = rows({"time": time})
    assert (row["time"], row["tags"]) == (from_micros(NOW), {"original_time": original})


def test_an_original_time_joins_the_tags_that_were_sent() -> None:
    found = rows({"time": [0, NOW // 10**6], "tags.a": ["x", "y"]})
    assert [row["tags"] for row in found] == [{"a": "x", "original_time": "1970-01-01T00:00:00.000000Z"}, {"a": "y"}]


def test_bad_rows_name_their_field_and_cost_no_others() -> None:
    found = read(
        {
            "id": [str(n) for n in range(10)],
            "model": ["m", None, "", "m", "m", "m", "m", "m", "m", "m"],
            "weight": [1, 1, 1, 0, None, 1, 1, 1, 1, 1],
            "latency": [0.1, 0, 0, 0, 0, -1, None, 0, 0, 0],
            "status": [200, 0, 0, 0, None, 0, 999, 1000, -1, 200],
            "time": [*[None] * 9, "yesterday"],
        },
        DEFAULTS._replace(model=""),
    )
    assert found.batch.column("id").to_pylist() == ["0", "4", "6"]
    assert found.batch.column("status").to_pylist() == [200, 200, 999]
    assert [(bad.row, bad.field) for bad in found.rejected] == [
        (1, "model"),
        (2, "model"),
        (3, "weight"),
        (5, "latency"),
        (7, "status"),
        (8, "status"),
        (9, "time"),
    ]
    assert all(bad.reason and bad.code and b'"id"' in bad.body for bad in found.rejected)


def test_ids_are_made_where_none_were_sent() -> None:
    made, mixed = read({"inputs.x": [1, 2]}), read({"id": ["a", None, ""]})
    assert made.new and len(set(made.batch.column("id").to_pylist())) == 2
    assert not mixed.new and len(set(mixed.batch.column("id").to_pylist())) == 3
    assert read({"id": [7]}).batch.column("id").to_pylist() == ["7"]


def test_several_batches_with_other_dictionaries_are_one() -> None:
    schema = pa.schema({"inputs.c": pa.dictionary(pa.int8(), pa.string())})
    parts = [
        pa.record_batch([pa.array(words).dictionary_encode()], ["inputs.c"]).cast(schema)
        for words in (["a"], ["b", "a"])
    ]
    found = rows(pa.Table.from_batches(parts))
    assert [row["inputs_cat"]["c"] for row in found] == ["a", "b", "a"]


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_compressed_streams_are_read(compression: str) -> None:
    body = stream({"inputs.x": np.arange(1000.0), "inputs.c": pa.array(["a"] * 1000).dictionary_encode()}, compression)
    assert len(read_arrow(body, DEFAULTS, NAMES).batch) == 1000


@pytest.mark.parametrize(
    ("columns", "field", "hint"),
    [
        ({"input.age": [1]}, "input.age", "did you mean 'inputs.age'?"),
        ({"stauts": [1]}, "stauts", "did you mean 'status'?"),
        ({"inputs": [1]}, "inputs", ""),
        ({"inputs.": [1]}, "inputs.", ""),
        ({"inputs.d": [{"a": 1}]}, "inputs.d", "numbers, text or lists"),
        ({"inputs.b": [b"raw"]}, "inputs.b", "numbers, text or lists"),
        ({"inputs.v": [[1], [1, 2]]}, "inputs.v", "same length"),
        ({"inputs.v": [["a"]]}, "inputs.v", ""),
        ({"inputs.v": [[[1]]]}, "inputs.v", ""),
        ({"inputs.v": [[{"a": 1}]]}, "inputs.v", ""),
        ({"status": ["fine"]}, "status", ""),
        ({"model": [[1]]}, "model", ""),
        ({"tags.a": [[1]]}, "tags.a", ""),
        ({"time": [[1]]}, "time", "RFC 3339"),
        ({"latency": ["fast"]}, "latency", ""),
    ],
)
def test_a_column_nobody_can_read_is_refused_by_its_name(columns: Any, field: str, hint: str) -> None:
    error = refusal(stream(columns))
    assert (error.status, error.field) == (400, field)
    assert hint in error.detail


def test_a_column_that_is_there_twice_is_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["inputs.x", "inputs.x"])
    assert refusal(stream(table)).field == "inputs.x"


def test_text_that_is_not_utf8_is_refused() -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe")]
    )
    assert refusal(stream({"inputs.x": broken})).code == "bad_arrow"


@pytest.mark.parametrize("body", [b"", b"hello", b"\xff" * 64, b"\0" * 64, b"ARROW1\0\0"])
def test_what_is_no_stream_is_refused(body: bytes) -> None:
    assert (refusal(body).status, refusal(body).code) == (400, "bad_arrow")


def test_a_stream_cut_short_is_refused_wherever_it_is_cut() -> None:
    body = stream({"inputs.x": [1.0, 2.0], "id": ["a", "b"]})
    end = len(body) - 8  # the marker of the end may be missing
    assert all(refusal(body[:cut]).status == 400 for cut in range(0, end, 7))


@pytest.mark.parametrize("columns", [pa.table({}), pa.table({"inputs.x": pa.array([], pa.float64())})])
def test_no_columns_or_no_rows_are_no_rows(columns: pa.Table) -> None:
    found = read(columns)
    assert (len(found.batch), found.batch.schema, found.rejected) == (0, PREDICTIONS, [])


@pytest.mark.parametrize(
    "body",
    [
        stream({"inputs.x": np.zeros(2_000_000)}, "zstd"),
        stream({"inputs.x": pa.nulls(10_000_000)}),
        stream({"inputs.x": pa.DictionaryArray.from_arrays(pa.array([0] * 1000), ["a" * 10_000])}),
        stream({"inputs.x": pa.RunEndEncodedArray.from_arrays([2**30], [1.0])}),
    ],
    ids=["compressed", "nulls", "dictionary", "runs"],
)
def test_a_small_stream_that_would_unfold_to_a_huge_one_is_refused(body: bytes) -> None:
    assert len(body) < 2**20
    assert refusal(body, ONE_MB).status == 413


def test_more_models_than_can_be_built_in_time_are_refused() -> None:
    error = refusal(stream({"version": [f"v{n}" for n in range(Limits().models_per_request + 1)]}))
    assert (error.status, error.field) == (413, "model")


def test_rows_of_several_models_keep_their_own_values() -> None:
    found = rows(
        {"model": ["m", "n", "m"], "version": ["1", "1", "2"], "inputs.x": [1, 2, 3], "inputs.y": [4, None, 5]}
    )
    assert sorted((r["model"], r["version"], *r["inputs_num"].items()) for r in found) == [
        ("m", "1", ("x", 1.0), ("y", 4.0)),
        ("m", "2", ("x", 3.0), ("y", 5.0)),
        ("n", "1", ("x", 2.0)),
    ]


def test_more_rows_than_the_limit_are_refused() -> None:
    assert refusal(stream({"inputs.x": [1, 2, 3]}), Limits(rows_per_request=2)).status == 413


def test_huge_metadata_is_no_trouble() -> None:
    table = pa.table({"inputs.x": [1]}).replace_schema_metadata({"k" * 1000: "v" * 1_000_000})
    assert len(read(table).batch) == 1
    head = stream(table)[:4] + (2**31 - 1).to_bytes(4, "little")
    assert refusal(head + b"\0" * 100).status == 400


SMALL = stream({"id": ["a", None], "inputs.x": [1.0, 2.0], "inputs.c": pa.array(["u", "v"]).dictionary_encode()})


@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    )
)
@settings(max_examples=500, deadline=None)
def test_arbitrary_bytes_are_read_or_rejected(change: bytes | list[tuple[int, int]]) -> None:
    body = bytearray(SMALL if isinstance(change, list) else change)
    for at, byte in change if isinstance(change, list) else []:
        body[at] = byte
    try:
        found = read_arrow(bytes(body), DEFAULTS, NAMES)
    except Rejected as error:
        assert error.status in (400, 413)
    else:
        found.batch.validate(full=True)
