"""Requests with their responses become rows of `predictions`."""

from typing import Any

import numpy as np
import pytest
from sent import NOW, exchange, groups, half, rows

from collectors.building.exchanges import Exchange
from collectors.building.naming import Names
from core.config import parse
from core.records import PREDICTIONS, ModelKey


def test_a_request_of_one_row_gives_its_prediction_its_own_id() -> None:
    assert [(r["id"], r["row"]) for r in rows(exchange({"x": [1.0]}, id="abc"))] == [("abc", 0)]


def test_rows_of_a_larger_request_are_numbered() -> None:
    several = exchange({"x": [1.0, 2.0]}, id="two")
    single = exchange({"x": [3.0]}, id="one")
    found = {r["id"]: (r["row"], r["inputs_num"]["x"]) for r in rows(several, single)}
    assert found == {"two-0": (0, 1.0), "two-1": (1, 2.0), "one": (0, 3.0)}


def test_status_error_version_and_latency_are_the_response_s_and_the_time_the_request_s() -> None:
    response = half(kind="response", y=[1.0])
    response = response._replace(
        status=503,
        error="overloaded",
        time=NOW + 250_000,
        received=NOW + 300_000,
        payload=response.payload._replace(version="v7"),
    )
    request = half(x=[1.0])._replace(trace_id="f" * 32, tags=(("customer", "7"),))
    [row] = rows(Exchange(request, response._replace(tags=(("customer", "8"), ("region", "eu")))))
    said = {k: row[k] for k in ("status", "error", "version", "latency", "trace_id", "tags", "weight", "source")}
    assert said == {
        "status": 503,
        "error": "overloaded",
        "version": "v7",
        "latency": 0.25,
        "trace_id": "f" * 32,
        "tags": {"customer": "7", "region": "eu"},
        "weight": 1.0,
        "source": "events",
    }
    assert (int(row["time"].timestamp() * 1e6), int(row["received"].timestamp() * 1e6)) == (NOW, NOW + 300_000)


def test_the_latency_a_tap_measured_counts_and_none_is_ever_negative() -> None:
    response = half(kind="response")
    [measured] = rows(Exchange(half(), response._replace(latency=0.5, time=NOW + 9_000_000)))
    [clocks_apart] = rows(Exchange(half(), response._replace(time=NOW - 1_000)))
    assert (measured["latency"], clocks_apart["latency"]) == (0.5, 0.0)


def test_a_failed_inference_is_a_prediction_without_outputs() -> None:
    response = half(kind="response")._replace(status=500, error="boom")
    found = rows(Exchange(half(x=[1.0, 2.0]), response))
    assert [(r["status"], r["error"], r["inputs_num"]["x"], r["outputs_num"]) for r in found] == [
        (500, "boom", 1.0, {}),
        (500, "boom", 2.0, {}),
    ]


@pytest.mark.parametrize("inputs", [{}, {"x": np.zeros((0, 3))}])
def test_an_inference_of_no_rows_is_still_one_prediction(inputs: dict[str, Any]) -> None:
    [row] = rows(exchange(inputs, {"y": np.zeros((0, 2))}))
    assert (row["id"], row["inputs_num"], row["outputs_num"]) == ("r", {}, {})


def test_a_half_on_its_own_can_be_shown_with_status_0() -> None:
    [request] = rows(Exchange(half(x=[1.0]), None))
    [response] = rows(Exchange(None, half(kind="response", y=[1.0])))
    assert (request["status"], request["inputs_num"]) == (0, {"x": 1.0})
    assert (response["status"], response["outputs_num"]) == (200, {"y": 1.0})


def test_models_versions_and_shapes_that_come_together_stay_apart() -> None:
    other = exchange({"x": [1.0]})
    assert other.request and other.response
    key = other.request.key._replace(model="n")
    other = Exchange(other.request._replace(key=key), other.response._replace(key=key))
    found = groups(
        exchange({"x": [1.0]}, id="a"),
        other,
        exchange({"x": [[1.0, 2.0]]}, id="b"),
        exchange({"x": ["t"]}, id="c"),
        exchange({"x": [1.0]}, id="d"),
    )
    assert [(g.batch.column("model")[0].as_py(), g.batch.column("id").to_pylist()) for g in found] == [
        ("m", ["a", "d"]),
        ("n", ["r"]),
        ("m", ["b"]),
        ("m", ["c"]),
    ]
    assert all(g.batch.schema == PREDICTIONS for g in found)


def test_fields_say_where_they_sit_in_the_model_s_own_request() -> None:
    names = Names(parse("models: {m: {names: {x: [a, b]}, fields: {b: {kind: cat}}}}"))
    [group] = groups(exchange({"x": [[1.0, 2.0]]}, {"y": np.zeros((1, 2, 2))}), naming=names(ModelKey("default", "m")))
    assert [(f.name, f.role, f.kind, f.tensor, f.position, f.width) for f in group.fields] == [
        ("a", "input", "num", "x", 0, 2),
        ("b", "input", "cat", "x", 1, 2),
        ("y", "output", "vec", "y", 0, 4),
    ]


METADATA = {
    "inputs": [{"name": "age"}, {"name": "pay"}],
    "outputs": [{"name": "predict"}, {"name": "proba", "parameters": {"names": ["no", "yes"]}}],
}


@pytest.mark.parametrize(
    ("role", "tensor", "width", "names"),
    [
        ("inputs", "input-0", 2, ("age", "pay")),
        ("inputs", "input-0", 3, ()),
        ("inputs", "age", 2, ()),
        ("outputs", "proba", 2, ("no", "yes")),
        ("outputs", "predict", 2, ()),
    ],
)
def test_metadata_names_the_columns_of_one_tensor(role: str, tensor: str, width: int, names: tuple[str, ...]) -> None:
    """One input a feature names the columns of a request's one tensor, never those of an output as wide by chance."""
    known, model = Names(parse("")), ModelKey("default", "m")
    known.learn(model, METADATA)
    naming = known(model)
    assert (naming.inputs if role == "inputs" else naming.outputs)(tensor, width) == names


@pytest.mark.parametrize("metadata", [None, 3, {"inputs": 3}, {"inputs": [3, {"name": 4}]}, {"outputs": [{}]}])
def test_metadata_that_makes_no_sense_is_passed_over(metadata: object) -> None:
    known, model = Names(parse("")), ModelKey("default", "m")
    known.learn(model, metadata)
    assert known.knows(model)
    assert known(model).inputs("x", 2) == ()
