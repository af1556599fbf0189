"""V1: instances, inputs, predictions, outputs."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from collectors.formats import Hints, decode
from core.errors import Rejected
from core.records import HalfKind, Tensor

KEYS: list[tuple[HalfKind, str, str]] = [
    ("request", "instances", "instances"),
    ("request", "inputs", "instances"),
    ("response", "predictions", "predictions"),
    ("response", "outputs", "predictions"),
]


def read(key: str, value: Any, kind: HalfKind = "request") -> dict[str, Tensor]:
    tensors = decode(orjson.dumps({key: value}), kind).tensors
    assert len({t.name for t in tensors}) == len(tensors)
    return {t.name: t for t in tensors}


def test_kserves_answer_is_one_prediction(golden: Callable[[str], tuple[bytes, Hints]]) -> None:
    body, hints = golden("kserve-0.21.0-v1-response.txt")
    (tensor,) = decode(body, "response", hints).tensors
    assert (tensor.name, tensor.values.tolist()) == ("predictions", [0.0])


@pytest.mark.parametrize(("kind", "key", "name"), KEYS)
def test_rows_of_scalars_and_of_lists_are_one_tensor(kind: HalfKind, key: str, name: str) -> None:
    assert read(key, [1, 2.5, None], kind)[name].values.shape == (3,)
    assert read(key, [[1, 2], [3, 4]], kind)[name].values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert read(key, ["a", None], kind)[name].values.tolist() == ["a", None]


@pytest.mark.parametrize(("kind", "key", "name"), KEYS)
def test_rows_that_are_objects_are_one_tensor_for_each_key_of_any_row(kind: HalfKind, key: str, name: str) -> None:
    tensors = read(key, [{"age": 31, "job": "x"}, {"city": "Bern", "age": 58}, {}], kind)
    assert list(tensors) == ["age", "job", "city"]
    np.testing.assert_array_equal(tensors["age"].values, [31.0, 58.0, np.nan])
    assert tensors["city"].values.tolist() == [None, "Bern", None]


def test_a_vector_that_a_row_lacks_is_missing_there() -> None:
    tensors = read("instances", [{"age": 31}, {"age": 58, "pair": [1, 2]}])
    np.testing.assert_array_equal(tensors["pair"].values, [[np.nan, np.nan], [1.0, 2.0]])


@pytest.mark.parametrize(("kind", "key", "name"), KEYS[1::2])
def test_an_object_of_columns_is_one_tensor_for_each(kind: HalfKind, key: str, name: str) -> None:
    tensors = read(key, {"age": [31, 58], "pair": [[1, 2], [3, 4]], "bias": 0.5}, kind)
    assert {n: t.values.tolist() for n, t in tensors.items()} == {
        "age": [31.0, 58.0],
        "pair": [[1.0, 2.0], [3.0, 4.0]],
        "bias": [0.5],
    }


def test_a_table_of_numbers_and_text_is_split_by_columns_that_keep_their_place_in_their_names() -> None:
    numbers, texts = decode(orjson.dumps({"instances": [[25, "a", True], [38.5, None, False]]}), "request").tensors
    assert (numbers.name, numbers.columns) == ("instances", ("instances_0", "instances_2"))
    assert numbers.values.tolist() == [[25.0, 1.0], [38.5, 0.0]]
    assert (texts.name, texts.columns, texts.datatype) == ("instances", ("instances_1",), "BYTES")
    assert texts.values.tolist() == [["a"], [None]]


def test_a_table_with_an_integer_beyond_two_to_the_53_is_kept_as_exact_numerals() -> None:
    (tensor,) = decode(orjson.dumps({"instances": [[2**53 + 1, 1], [2.5, None]]}), "request").tensors
    assert (tensor.datatype, tensor.values.tolist()) == ("INT64", [["9007199254740993", "1"], ["2.5", None]])


def test_objects_inside_rows_are_kept_as_json_and_bytes_as_their_text() -> None:
    tensors = read("instances", [{"box": {"x": 1}, "raw": {"b64": base64.b64encode(b"hi").decode()}}])
    assert tensors["box"].values.tolist() == ['{"x":1}']
    assert tensors["raw"].values.tolist() == ["hi"]


def test_an_empty_request_has_no_rows() -> None:
    assert read("instances", [])["instances"].values.shape == (0,)


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"instances": [[1, 2], [3]]}, 400, "ragged", "instances"),
        ({"instances": [1, [2]]}, 400, "ragged", "instances[1]"),
        ({"instances": [{"a": [1]}, {"a": [2, 3]}]}, 400, "ragged", "instances.a"),
        ({"inputs": {"a": [[1], [2, 3]]}}, 400, "ragged", "inputs.a"),
        ({"instances": None}, 400, "bad_data", "instances"),
        ({"predictions": [1]}, 422, "unknown_format", ""),
        ({"explanations": [1]}, 422, "unknown_format", ""),
    ],
)
def test_what_is_no_table_is_named_by_its_path(body: Any, status: int, code: str, field: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode(orjson.dumps(body), "request")
    assert (caught.value.status, caught.value.code, caught.value.field) == (status, code, field)
