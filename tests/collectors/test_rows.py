"""Tidemark's own rows as JSON and NDJSON."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import NOW, as_rows

from collectors.building.naming import Names
from collectors.rows import Defaults, RowsRead
from collectors.rows.records import read_json, read_ndjson
from core.config import Limits, parse
from core.errors import Rejected
from core.records import PREDICTIONS
from core.times import from_micros, micros

DEFAULTS = Defaults("default", "", "", "api", NOW, "0" * 31 + "1")
NAMES = Names(parse("models: {m: {fields: {code: {kind: cat}}}}"))


def read(*predictions: Any, **outer: Any) -> RowsRead:
    return read_json(orjson.dumps({"model": "m", "predictions": predictions, **outer}), DEFAULTS, NAMES)


def only(prediction: Any) -> dict[str, Any]:
    found = read(prediction)
    assert not found.rejected
    [row] = as_rows(found.batch)
    return row


def refused(prediction: Any) -> tuple[str, str]:
    """The field and the code of the one bad row between two good ones, which are taken."""
    found = read({"id": "before"}, prediction, {"id": "after"})
    assert found.batch.column("id").to_pylist() == ["before", "after"]
    [bad] = found.rejected
    assert (bad.row, bool(bad.reason), bool(bad.body)) == (1, True, True)
    return bad.field, bad.code


def test_a_prediction_has_all_it_says() -> None:
    row = only(
        {
            "id": "p1",
            "time": "2027-01-15T07:00:00Z",
            "inputs": {"age": 41, "ok": True, "country": "NZ", "image": [1, 2.5], "big": 2**53 + 1, "gone": None},
            "outputs": {"p": 0.25},
            "status": 422,
            "error": "no",
            "latency": 0.125,
            "weight": 4,
            "tags": {"customer": "7", "n": 3, "none": None},
            "trace_id": "a" * 32,
            "version": "v2",
            "namespace": "team",
        }
    )
    assert PREDICTIONS.names == list(row)
    assert row["time"] == from_micros(micros("2027-01-15T07:00:00Z"))
    assert (row["inputs_num"], row["inputs_vec"]) == ({"age": 41.0, "ok": 1.0}, {"image": [1.0, 2.5]})
    assert row["inputs_cat"] == {"country": "NZ", "big": "9007199254740993"}
    assert row["outputs_num"] == {"p": 0.25} and row["tags"] == {"customer": "7", "n": "3"}
    said = ["p1", 422, "no", 0.125, 4.0, "a" * 32, "v2", "team", "m", "api", 0]
    names = ("id", "status", "error", "latency", "weight", "trace_id", "version", "namespace", "model", "source", "row")
    assert [row[name] for name in names] == said


def test_what_a_prediction_does_not_say_gets_its_default() -> None:
    row = only({})
    assert row["time"] == row["received"] == from_micros(NOW)
    assert (row["status"], row["error"], row["weight"], row["version"], row["tags"]) == (200, "", 1.0, "", {})
    assert (row["trace_id"], row["namespace"], row["latency"] != row["latency"]) == (DEFAULTS.trace_id, "default", True)
    assert len(row["id"]) == 32


def test_ids_made_here_differ_and_are_said_to_be() -> None:
    made = read(*[{}] * 100)
    assert len(set(made.batch.column("id").to_pylist())) == 100 and made.new
    assert not read({}, {"id": 7}).new
    assert read({"id": 7}).batch.column("id").to_pylist() == ["7"]


def test_a_number_declared_as_a_category_is_text() -> None:
    row = only({"inputs": {"code": 3, "other": 3}})
    assert (row["inputs_cat"], row["inputs_num"]) == ({"code": "3"}, {"other": 3.0})
    assert only({"inputs": {"code": "3", "other": 3.0}})["content"] == row["content"]


@pytest.mark.parametrize(
    ("time", "kept", "original"),
    [
        ("2027-01-15T09:00:00Z", "2027-01-15T09:00:00Z", None),
        ("2027-01-15T09:00:00.000001Z", "2027-01-15T08:00:00Z", "2027-01-15T09:00:00.000001Z"),
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z", None),
        ("1999-12-31T23:59:59Z", "2027-01-15T08:00:00Z", "1999-12-31T23:59:59.000000Z"),
        ("2027-01-15T07:00:00+02:00", "2027-01-15T05:00:00Z", None),
        (1_799_999_999.5, "2027-01-15T07:59:59.5Z", None),
        (0, "2027-01-15T08:00:00Z", "1970-01-01T00:00:00.000000Z"),
        (1e300, "2027-01-15T08:00:00Z", str(int(1e300 * 1_000_000))),
    ],
)
def test_a_time_that_cannot_be_meant_is_ours_and_the_original_is_kept(
    time: Any, kept: str, original: str | None
) -> None:
    row = only({"time": time, "tags": {"customer": "7"}})
    assert row["time"] == from_micros(micros(kept))
    assert row["tags"].get("original_time") == original
    assert row["tags"]["customer"] == "7"


@pytest.mark.parametrize(
    ("prediction", "field", "code"),
    [
        ("text", "", "bad_row"),
        ({"input": {}}, "input", "unknown_key"),
        ({"inputs": [1]}, "inputs", "bad_shape"),
        ({"inputs": {"a": {"b": 1}}}, "inputs.a", "bad_value"),
        ({"outputs": {"a": ["x"]}}, "outputs.a", "bad_value"),
        ({"outputs": {"a": ["1.5"]}}, "outputs.a", "bad_value"),
        ({"outputs": {"a": [[1, 2], [3]]}}, "outputs.a", "bad_value"),
        ({"outputs": {"a": [{}]}}, "outputs.a", "bad_value"),
        ({"id": 1.5}, "id", "bad_value"),
        ({"id": True}, "id", "bad_value"),
        ({"time": "yesterday"}, "time", "bad_time"),
        ({"time": True}, "time", "bad_time"),
        ({"status": 1000}, "status", "bad_value"),
        ({"status": 200.5}, "status", "bad_value"),
        ({"status": "200"}, "status", "bad_value"),
        ({"latency": -1}, "latency", "bad_value"),
        ({"weight": 0}, "weight", "bad_value"),
        ({"tags": ["a"]}, "tags", "bad_shape"),
        ({"error": 5}, "error", "bad_value"),
        ({"model": 5}, "model", "bad_value"),
        ({"version": ["v"]}, "version", "bad_value"),
    ],
)
def test_a_bad_row_names_its_field_and_costs_no_other(prediction: Any, field: str, code: str) -> None:
    assert refused(prediction) == (field, code)


def test_an_unknown_key_is_told_the_nearest_known_one() -> None:
    [bad] = read({"input": {}}).rejected
    assert bad.reason == "did you mean 'inputs'?"


def test_a_row_without_a_model_is_bad_and_its_own_word_counts() -> None:
    body = orjson.dumps({"predictions": [{}, {"model": "own"}]})
    found = read_json(body, DEFAULTS, NAMES)
    assert [(bad.row, bad.field, bad.code) for bad in found.rejected] == [(0, "model", "no_model")]
    assert found.batch.column("model").to_pylist() == ["own"]


def test_rows_of_several_models_and_shapes_come_together() -> None:
    found = read({"id": 1, "inputs": {"a": 1}}, {"id": 2, "model": "n"}, {"id": 3, "inputs": {"b": "x"}})
    kept = {row["id"]: (row["model"], row["inputs_num"], row["inputs_cat"]) for row in as_rows(found.batch)}
    assert kept == {"1": ("m", {"a": 1.0}, {}), "2": ("n", {}, {}), "3": ("m", {}, {"b": "x"})}
    assert {(f.model.model, f.name, f.kind) for f in found.fields} == {("m", "a", "num"), ("m", "b", "cat")}


@pytest.mark.parametrize("body", [b'{"model": "m", "predictions": []}', b'{"predictions": []}'])
def test_no_rows_are_no_rows(body: bytes) -> None:
    found = read_json(body, DEFAULTS, NAMES)
    assert (len(found.batch), found.rejected, found.batch.schema) == (0, [], PREDICTIONS)


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"", 400, "bad_json", ""),
        (b"{", 400, "bad_json", ""),
        (b"\xff\xfe", 400, "bad_utf8", ""),
        (b"[]", 400, "bad_shape", "predictions"),
        (b'{"model": "m"}', 400, "bad_shape", "predictions"),
        (b'{"predictions": {}}', 400, "bad_shape", "predictions"),
        (b'{"predictions": [], "modle": "m"}', 400, "unknown_key", "modle"),
        (b'{"predictions": [], "model": 3}', 400, "bad_value", "model"),
        (b"[" * 100_000, 400, "too_deep", ""),
        (b'{"predictions": [{}, {}, {}]}', 413, "too_large", "predictions"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole(body: bytes, status: int, code: str, field: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_json(body, DEFAULTS._replace(limits=Limits(rows_per_request=2)), NAMES)
    assert (caught.value.status, caught.value.code, caught.value.field) == (status, code, field)


def test_more_models_than_can_be_built_in_time_are_refused() -> None:
    with pytest.raises(Rejected) as caught:
        read(*({"model": f"m{n}"} for n in range(DEFAULTS.limits.models_per_request + 1)))
    assert (caught.value.status, caught.value.field) == (413, "model")


def test_ndjson_is_one_prediction_a_line() -> None:
    body = b'{"model": "m", "id": 1}\n\n{"id": 2}\nnot json\r\n{"model": "n", "id": 3}'
    found = read_ndjson(body, DEFAULTS, NAMES)
    assert found.batch.column("id").to_pylist() == ["1", "3"]
    assert [(bad.row, bad.field, bad.code, bad.body) for bad in found.rejected] == [
        (1, "model", "no_model", b'{"id":2}'),
        (2, "", "bad_json", b"not json"),
    ]
    assert read_ndjson(body, DEFAULTS._replace(model="d"), NAMES).batch.column("model").to_pylist() == ["m", "d", "n"]


KEYS = st.sampled_from(["model", "predictions", "inputs", "outputs", "time", "id", "status", "tags", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = VALUES.map(lambda value: orjson.dumps({"model": "m", "predictions": [value]}))


@given(st.binary(max_size=200) | DOCUMENTS)
@settings(max_examples=300, deadline=None)
def test_whatever_is_sent_is_read_or_rejected(body: bytes) -> None:
    for reader in (read_json, read_ndjson):
        try:
            found = reader(body, DEFAULTS._replace(model="m"), NAMES)
        except Rejected as error:
            assert error.status in (400, 413)
        else:
            found.batch.validate(full=True)
