"""The payload of Seldon Core 1."""

import base64
from typing import Any

import numpy as np
import orjson
import pytest

from collectors.formats import decode, detect
from core.errors import Rejected
from core.records import Payload


def read(body: Any) -> Payload:
    return decode(orjson.dumps(body), "request")


def test_an_ndarray_with_names_is_one_tensor_with_columns() -> None:
    body = {"data": {"names": ["a", "b"], "ndarray": [[1, None], [3, 4.5]]}, "meta": {"puid": "p1", "tags": {}}}
    payload = read(body)
    (tensor,) = payload.tensors
    assert (payload.id, tensor.name, tensor.columns) == ("p1", "data", ("a", "b"))
    np.testing.assert_array_equal(tensor.values, [[1.0, np.nan], [3.0, 4.5]])


def test_a_tensor_is_read_row_by_row() -> None:
    (tensor,) = read({"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}}).tensors
    assert (tensor.values.tolist(), tensor.columns) == ([[1.0, 2.0], [3.0, 4.0]], ())


def test_an_answer_is_read_as_a_request_is() -> None:
    body = {"data": {"names": ["t:0", "t:1"], "tensor": {"shape": [1, 2], "values": [0.9, 0.1]}}, "meta": {}}
    (tensor,) = decode(orjson.dumps(body), "response").tensors
    assert (tensor.columns, tensor.values.tolist()) == (("t:0", "t:1"), [[0.9, 0.1]])


def test_numeric_columns_stay_numeric_beside_text() -> None:
    names = ["age", "job", "hours"]
    numbers, texts = read({"data": {"names": names, "ndarray": [[25, "a", 40], [38, "b", None]]}}).tensors
    assert (numbers.columns, texts.columns) == (("age", "hours"), ("job",))
    np.testing.assert_array_equal(numbers.values, [[25.0, 40.0], [38.0, np.nan]])
    assert texts.values.tolist() == [["a"], ["b"]]


@pytest.mark.parametrize("key", ["ndarray", "tensor"])
def test_one_row_may_come_without_the_list_around_it_when_names_tell(key: str) -> None:
    data = [1, 2, 3] if key == "ndarray" else {"shape": [3], "values": [1, 2, 3]}
    assert read({"data": {"names": ["a", "b", "c"], key: data}}).tensors[0].values.tolist() == [[1.0, 2.0, 3.0]]
    assert read({"data": {key: data}}).tensors[0].values.tolist() == [1.0, 2.0, 3.0]


def test_text_bytes_and_json_are_named_by_their_key() -> None:
    (text,) = read({"strData": "hello"}).tensors
    (raw,) = read({"binData": base64.b64encode(b"hi").decode()}).tensors
    assert [(t.name, t.values.tolist()) for t in (text, raw)] == [("strData", ["hello"]), ("binData", ["hi"])]
    rows = read({"jsonData": {"age": 31, "job": "x"}}).tensors
    assert [(t.name, t.values.tolist()) for t in rows] == [("age", [31.0]), ("job", ["x"])]
    assert read({"jsonData": [[1, 2]]}).tensors[0].name == "jsonData"


def test_the_data_of_an_explanation_is_not_of_this_format() -> None:
    with pytest.raises(Rejected, match="no inference payload"):
        detect(b'{"meta":{"name":"AnchorTabular"},"data":{"anchor":["c <= 1.60"]}}')


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"data": {"tensor": {"shape": [2, 2], "values": [1]}}}, 400, "bad_shape", "data.tensor.shape"),
        ({"data": {"tensor": {"shape": [-1], "values": [1]}}}, 400, "bad_shape", "data.tensor.shape[0]"),
        ({"data": {"tensor": {"shape": [1], "values": ["1"]}}}, 400, "bad_number", "data.tensor.values[0]"),
        ({"data": {"tensor": [1]}}, 400, "bad_tensor", "data.tensor"),
        ({"data": {"ndarray": [[1], [2, 3]]}}, 400, "ragged", "data.ndarray"),
        ({"data": {"names": ["a"], "ndarray": [[1, 2]]}}, 400, "bad_names", "data.names"),
        ({"data": {"names": "ab", "ndarray": [[1, 2]]}}, 400, "bad_names", "data.names"),
        ({"data": {"tftensor": {"dtype": "DT_FLOAT"}}}, 422, "unknown_format", "data"),
        ({"strData": 5}, 400, "bad_text", "strData"),
        ({"binData": "!"}, 400, "bad_base64", "binData"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_path(body: Any, status: int, code: str, field: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(body)
    assert (caught.value.status, caught.value.code, caught.value.field) == (status, code, field)
