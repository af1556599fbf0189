"""Open Inference Protocol V2 in JSON."""

import base64
import gzip
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from collectors.formats import Hints, decode, detect
from collectors.formats.binary import DTYPES
from core.config import Limits
from core.errors import Rejected
from core.records import Tensor

Golden = Callable[[str], tuple[bytes, Hints]]
PLAIN = Hints()
BASE64 = {"content_type": "base64"}


def request(**tensor: Any) -> bytes:
    return orjson.dumps({"inputs": [{"name": "x", "shape": [2], "datatype": "FP64", "data": [1, 2], **tensor}]})


def read(body: bytes) -> Tensor:
    (tensor,) = decode(body, "request").tensors
    return tensor


def rejected(body: bytes, hints: Hints = PLAIN) -> tuple[int, str, str]:
    with pytest.raises(Rejected) as caught:
        decode(body, "request", hints)
    return caught.value.status, caught.value.code, caught.value.field


def test_mlservers_answer_keeps_names_shapes_types_id_model_and_version(golden: Golden) -> None:
    body, hints = golden("mlserver-1.7.1-v2-infer-response.json")
    payload = decode(body, "response", hints)
    classes, probabilities = payload.tensors
    assert (payload.id, payload.model, payload.version, payload.error) == ("req-1", "iris", "v1", "")
    assert (classes.name, classes.datatype, classes.values.tolist()) == ("predict", "INT64", [[0.0], [2.0]])
    assert (probabilities.name, probabilities.values.shape) == ("predict_proba", (2, 3))
    assert probabilities.values[1].tolist() == [0.00005526294298167085, 0.08008359529067235, 0.919861141766346]


def test_kserves_answer_has_no_version(golden: Golden) -> None:
    payload = decode(*_response(golden, "kserve-0.21.0-v2-response.txt"))
    assert (payload.id, payload.model, payload.version) == ("q", "iris", "")
    assert payload.tensors[0].values.tolist() == [0.0]


def test_mlservers_answer_with_cloudevent_headers(golden: Golden) -> None:
    payload = decode(*_response(golden, "mlserver-1.7.1-http-response-with-ce-headers.txt"))
    assert (payload.id, payload.tensors[0].values.tolist()) == ("req-42", [[0.0]])


def test_the_value_mlserver_writes_to_kafka(golden: Golden) -> None:
    record = orjson.loads(golden("mlserver-1.7.1-kafka-output.json")[0])
    payload = decode(orjson.dumps(record["value"]), "response")
    assert (payload.id, payload.version, payload.tensors[0].values.tolist()) == ("k2", "v1", [[0.0]])


def test_alibi_detects_answer_keeps_scores_of_each_feature(golden: Golden) -> None:
    tensors = decode(*_response(golden, "mlserver-alibi-detect-1.6.1-ksdrift-response.txt")).tensors
    assert [t.name for t in tensors] == ["is_drift", "distance", "p_val", "threshold"]
    assert [t.values.shape for t in tensors] == [(1, 1), (1, 4), (1, 4), (1, 1)]
    assert tensors[3].values.item() == 0.0125


def test_alibi_explains_answer_is_the_explanation_as_text(golden: Golden) -> None:
    (tensor,) = decode(*_response(golden, "mlserver-alibi-explain-1.6.1-anchor-response.txt")).tensors
    assert tensor.values.shape == (1, 1)
    assert orjson.loads(tensor.values[0, 0])["data"]["anchor"] == ["c <= 1.60"]


def test_a_models_metadata_holds_no_values(golden: Golden) -> None:
    assert decode(golden("mlserver-1.7.1-v2-metadata.json")[0], "response").tensors == ()


@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]], [[[1], [2], [3]], [[4], [5], [6]]]])
def test_flat_and_nested_data_are_read_row_by_row(data: Any) -> None:
    assert read(request(shape=[2, 3], data=data)).values.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


@pytest.mark.parametrize("datatype", DTYPES)
def test_every_numeric_datatype_is_float64_with_null_as_nan(datatype: str) -> None:
    tensor = read(request(datatype=datatype, shape=[3], data=[1, None, 0]))
    assert (tensor.datatype, tensor.values.dtype) == (datatype, np.dtype(np.float64))
    np.testing.assert_array_equal(tensor.values, [1.0, np.nan, 0.0])


def test_booleans_are_one_and_zero() -> None:
    assert read(request(datatype="BOOL", data=[True, False])).values.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("shape", "data"), [([], 7.5), ([], [7.5]), ([1], 7.5)])
def test_a_scalar_has_one_row(shape: list[int], data: Any) -> None:
    assert read(request(shape=shape, data=data)).values.tolist() == [7.5]


def test_an_empty_tensor_keeps_its_shape() -> None:
    assert read(request(shape=[0, 3], data=[])).values.shape == (0, 3)


def test_pythons_literals_for_nan_and_infinity_are_numbers_but_not_inside_text() -> None:
    body = b"""{"inputs":[{"name":"x","shape":[4],"datatype":"FP64","data":[NaN,Infinity,-Infinity,1]},
        {"name":"t \\" NaN","shape":[2],"datatype":"BYTES","data":["NaN, -Infinity",NaN]}]}"""
    numbers, texts = decode(body, "request").tensors
    np.testing.assert_array_equal(numbers.values, [np.nan, np.inf, -np.inf, 1.0])
    assert (texts.name, texts.values.tolist()) == ('t " NaN', ["NaN, -Infinity", None])


@pytest.mark.parametrize("word", [b"nan", b"NaNs", b"1NaN", b"-NaN", b"1Infinity", b"Infinity5", b"inf", b"--Infinity"])
def test_what_only_resembles_those_literals_is_bad_json(word: bytes) -> None:
    body = b'{"inputs":[{"name":"NaN","shape":[1],"datatype":"FP64","data":[%s]}]}' % word
    assert rejected(body)[:2] == (400, "bad_json")


@pytest.mark.parametrize("datatype", ["INT64", "UINT64"])
def test_a_tensor_with_an_integer_beyond_two_to_the_53_is_text(datatype: str) -> None:
    exact = read(request(datatype=datatype, data=[2**53, 1])).values
    assert (exact.dtype, exact[0]) == (np.dtype(np.float64), 2.0**53)
    beyond = read(request(datatype=datatype, shape=[3], data=[2**53 + 1, 1, None])).values
    assert beyond.tolist() == ["9007199254740993", "1", None]


def test_large_numbers_in_a_float_tensor_stay_numbers() -> None:
    assert read(request(data=[2**60, 1e300])).values.tolist() == [2.0**60, 1e300]


def test_bytes_are_text_and_a_lone_null_is_a_missing_text() -> None:
    assert read(request(datatype="BYTES", data=["a", "ü"])).values.tolist() == ["a", "ü"]
    assert read(request(datatype="BYTES", shape=[1, 1], data=[None])).values.tolist() == [[None]]


def test_other_values_in_a_bytes_tensor_are_written_as_json_writes_them() -> None:
    data = ["a", 3, 3.0, 2.5, True, None, {"k": [1]}]
    expected = ["a", "3", "3", "2.5", "true", None, '{"k":[1]}']
    assert read(request(datatype="BYTES", shape=[7], data=data)).values.tolist() == expected


def test_base64_content_is_decoded_when_all_of_it_is_text() -> None:
    encoded = [base64.b64encode(raw).decode() for raw in (b"red", "grün".encode())]
    assert read(request(datatype="BYTES", data=encoded, parameters=BASE64)).values.tolist() == ["red", "grün"]
    image = [encoded[0], base64.b64encode(b"\xff\xd8").decode()]
    assert read(request(datatype="BYTES", data=image, parameters=BASE64)).values.tolist() == image


def test_the_requests_content_type_holds_for_tensors_without_one() -> None:
    tensor = {"name": "x", "shape": [1], "datatype": "BYTES", "data": ["cmVk"]}
    own = {**tensor, "name": "y", "parameters": {"content_type": "str"}}
    payload = decode(orjson.dumps({"parameters": {"content_type": "base64"}, "inputs": [tensor, own]}), "request")
    assert [t.values.tolist() for t in payload.tensors] == [["red"], ["cmVk"]]


def test_pandas_content_is_one_tensor_for_each_column() -> None:
    columns = [
        {"name": "age", "shape": [2, 1], "datatype": "INT64", "data": [31, 58]},
        {"name": "job", "shape": [2, 1], "datatype": "BYTES", "data": ["x", None],
         "parameters": {"content_type": "str"}},
        {"name": "day", "shape": [2, 1], "datatype": "BYTES", "data": ["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"],
         "parameters": {"content_type": "datetime"}},
    ]  # fmt: skip
    payload = decode(orjson.dumps({"parameters": {"content_type": "pd"}, "inputs": columns}), "request")
    assert [t.name for t in payload.tensors] == ["age", "job", "day"]
    assert payload.tensors[1].values.tolist() == [["x"], [None]]


def test_tensors_without_names_are_numbered_and_a_null_model_is_nobody() -> None:
    tensor = {"shape": [1], "datatype": "FP64", "data": [1]}
    body = {"model_name": None, "model_version": None, "id": None, "outputs": [tensor, {**tensor, "name": None}]}
    payload = decode(orjson.dumps(body), "response")
    assert [t.name for t in payload.tensors] == ["output-1", "output-2"]
    assert payload[1:] == ("", "", "", "")


def test_the_hints_name_the_model_that_the_body_does_not() -> None:
    named = b'{"model_name":"a","outputs":[]}'
    assert decode(named, "response", Hints(model="b")).model == "a"
    assert decode(named.replace(b'"a"', b'""'), "response", Hints(model="b")).model == "b"


def test_a_requests_list_of_wanted_outputs_is_not_data() -> None:
    body = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}], "outputs": [{"name": "predict"}]}
    assert [t.name for t in decode(orjson.dumps(body), "request").tensors] == ["x"]


def test_a_zipped_body_is_unzipped_whatever_the_headers_say() -> None:
    assert read(gzip.compress(request())).values.tolist() == [1.0, 2.0]


def test_a_zip_bomb_is_too_large_and_a_broken_zip_is_bad() -> None:
    limits = Hints(limits=Limits(body_bytes=10_000))
    assert rejected(gzip.compress(b" " * 10_000_000), limits)[:2] == (413, "too_large")
    assert rejected(b" " * 10_001, limits)[:2] == (413, "too_large")
    assert rejected(gzip.compress(request())[:-9])[:2] == (400, "bad_gzip")
    assert rejected(b"\x1f\x8b" + request())[:2] == (400, "bad_gzip")


@pytest.mark.parametrize(
    ("tensor", "code", "field"),
    [
        ({"shape": [3]}, "bad_shape", "inputs[0].shape"),
        ({"shape": [2, 2]}, "bad_shape", "inputs[0].shape"),
        ({"shape": [-1]}, "bad_shape", "inputs[0].shape[0]"),
        ({"shape": [1, 2.0]}, "bad_shape", "inputs[0].shape[1]"),
        ({"shape": [True, 2]}, "bad_shape", "inputs[0].shape[0]"),
        ({"shape": ["2"]}, "bad_shape", "inputs[0].shape[0]"),
        ({"shape": None}, "bad_shape", "inputs[0].shape"),
        ({"shape": [1] * 33}, "bad_shape", "inputs[0].shape"),
        ({"shape": [2**63, 2**63]}, "bad_shape", "inputs[0].shape"),
        ({"shape": [0, 2**63], "data": []}, "bad_shape", "inputs[0].shape"),
        ({"datatype": "FP8"}, "bad_datatype", "inputs[0].datatype"),
        ({"datatype": None}, "bad_datatype", "inputs[0].datatype"),
        ({"datatype": ["FP64"]}, "bad_datatype", "inputs[0].datatype"),
        ({"name": 5}, "bad_name", "inputs[0].name"),
        ({"data": [1, "2"]}, "bad_number", "inputs[0].data[1]"),
        ({"shape": [2, 2], "data": [[1, 2], [3, "4"]]}, "bad_number", "inputs[0].data[1][1]"),
        ({"data": "12"}, "bad_number", "inputs[0].data"),
        ({"data": [1, {}]}, "bad_number", "inputs[0].data[1]"),
        ({"data": [[1], [2, 3]]}, "ragged", "inputs[0].data"),
        ({"data": [[1], 2]}, "ragged", "inputs[0].data[0]"),
        ({"datatype": "BYTES", "data": ["a", "!"], "parameters": BASE64}, "bad_base64", "inputs[0].data"),
    ],
)  # fmt: skip
def test_a_bad_tensor_is_named_by_its_path(tensor: dict[str, Any], code: str, field: str) -> None:
    assert rejected(request(**tensor)) == (400, code, field)


def test_the_second_tensor_is_named_when_it_is_at_fault() -> None:
    good = {"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}

    def body(second: Any) -> bytes:
        return orjson.dumps({"inputs": [good, second]})

    assert rejected(body(good)) == (400, "bad_name", "inputs[1].name")
    assert rejected(body(7)) == (400, "bad_tensor", "inputs[1]")
    assert rejected(body({"name": "y", "shape": [1], "datatype": "FP64"})) == (400, "bad_data", "inputs[1].data")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b'{"inputs":', 400, "bad_json"),
        (b'{"inputs":[]} more', 400, "bad_json"),
        (b'{"inputs":[{"name":"\xff\xfe"}]}', 400, "bad_utf8"),
        (b'{"inputs":[{"name":"\\ud800"}]}', 400, "bad_utf8"),
        (b'{"inputs":[{"name":"\\ud800","data":[NaN,Infinity]}]}', 400, "bad_utf8"),
        (b"[1,2]", 422, "unknown_format"),
        (b'{"prompt":"hello"}', 422, "unknown_format"),
        (b'{"outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[1]}]}', 422, "unknown_format"),
    ],
)
def test_what_is_no_request_says_so(body: bytes, status: int, code: str) -> None:
    assert rejected(body)[:2] == (status, code)


def test_an_unknown_shape_of_json_names_what_was_found_and_what_is_nearest() -> None:
    with pytest.raises(Rejected, match=r"it has 'object', 'choices'; expected 'inputs' or 'instances' asked"):
        decode(b'{"object":"chat","choices":[]}', "response")
    with pytest.raises(Rejected, match=r"it has 'instance'; did you mean 'instances'\?$"):
        decode(b'{"id":"a","instance":[]}', "request")


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "Application/JSON; charset=utf-8", "application/octet-stream",
                     "application/x-www-form-urlencoded", "application/vnd.kserve+json"]
)  # fmt: skip
def test_json_is_read_under_every_type_that_servers_send_it_with(content_type: str) -> None:
    assert detect(request(), Hints(content_type)) == "v2"


@pytest.mark.parametrize("content_type", ["text/csv", "image/png", "application/x-protobuf", "json"])
def test_other_content_types_are_refused_with_what_is_accepted(content_type: str) -> None:
    with pytest.raises(Rejected, match=r"application/json, .*application/octet-stream") as caught:
        decode(request(), "request", Hints(content_type))
    assert (caught.value.status, caught.value.field) == (415, "content-type")


def _response(golden: Golden, name: str) -> tuple[bytes, Any, Hints]:
    body, hints = golden(name)
    return body, "response", hints
