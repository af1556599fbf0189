"""V2 with binary tensor data, and our own requests in both forms."""

import struct
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.formats import Hints, decode
from collectors.formats.binary import DTYPES, FLOATS
from collectors.formats.encode import Encoded, encode, encode_binary
from core.errors import Rejected
from core.records import Tensor

OCTETS = "application/octet-stream"
WIDTH = {"FP16": 16, "FP32": 32, "FP64": 64}


def joined(tail: bytes, **tensor: Any) -> tuple[bytes, Hints]:
    """A request of one tensor with `tail` behind its JSON."""
    parameters = {"binary_data_size": len(tail)}
    sent = {"name": "x", "shape": [2], "datatype": "FP32", "parameters": parameters, **tensor}
    head = orjson.dumps({"inputs": [sent]})
    return head + tail, Hints(OCTETS, len(head))


def hints(encoded: Encoded) -> Hints:
    length = encoded.headers.get("inference-header-content-length")
    return Hints(encoded.headers["content-type"], int(length) if length else None)


def rejected(body: bytes, hints: Hints) -> tuple[int, str, str]:
    with pytest.raises(Rejected) as caught:
        decode(body, "request", hints)
    return caught.value.status, caught.value.code, caught.value.field


def cells(datatype: str) -> st.SearchStrategy[Any]:
    """Values that the datatype holds exactly, as a decoder gives them."""
    if datatype == "BYTES":
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    if datatype == "BOOL":
        return st.sampled_from([0.0, 1.0])
    if datatype == "BF16":
        return st.integers(-256, 256).map(float)
    if datatype in FLOATS:
        return st.floats(width=WIDTH[datatype], allow_infinity=False, allow_nan=False)  # type: ignore[arg-type]
    info = np.iinfo(DTYPES[datatype])
    return st.integers(max(info.min, -(2**53)), min(info.max, 2**53)).map(float)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    datatype = draw(st.sampled_from(sorted([*DTYPES, "BYTES"])))
    shape = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    flat = draw(st.lists(cells(datatype), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    dtype = object if datatype == "BYTES" else np.float64
    return Tensor("x", np.array(flat, dtype=dtype).reshape(shape), datatype)


@given(tensor=tensors())
@settings(max_examples=200, deadline=None)
def test_json_and_binary_carry_the_same_tensor_there_and_back(tensor: Tensor) -> None:
    for form in (encode, encode_binary):
        sent = form([tensor, tensor._replace(name="y")], id="r1")
        payload = decode(sent.body, "request", hints(sent))
        assert payload.id == "r1"
        for got, name in zip(payload.tensors, "xy", strict=True):
            assert (got.name, got.datatype, got.values.shape) == (name, tensor.datatype, tensor.values.shape)
            assert got.values.tolist() == tensor.values.tolist()


@pytest.mark.parametrize("datatype", ["INT64", "UINT64"])
@pytest.mark.parametrize("form", [encode, encode_binary])
def test_integers_kept_as_text_travel_as_integers(form: Any, datatype: str) -> None:
    values = np.array(["9007199254740993", "1"], dtype=object)
    sent = form([Tensor("x", values, datatype)])
    assert decode(sent.body, "request", hints(sent)).tensors[0].values.tolist() == values.tolist()


@given(tensor=tensors())
@settings(max_examples=100, deadline=None)
def test_the_length_of_the_json_is_found_where_no_header_tells_it(tensor: Tensor) -> None:
    sent = encode_binary([tensor])
    for content_type in (OCTETS, "application/json"):
        payload = decode(sent.body, "request", Hints(content_type))
        assert payload.tensors[0].values.tolist() == tensor.values.tolist()


def test_braces_and_quotes_in_text_do_not_end_the_json() -> None:
    data = struct.pack("<ff", 1.5, -2.0)
    body, _ = joined(data, name='} "}{ \\')
    (tensor,) = decode(body, "request", Hints(OCTETS)).tensors
    assert (tensor.name, tensor.values.tolist()) == ('} "}{ \\', [1.5, -2.0])


def test_json_and_binary_tensors_stand_in_one_body() -> None:
    sent = [
        {"name": "a", "shape": [1], "datatype": "FP64", "data": [1]},
        {"name": "b", "shape": [1, 2], "datatype": "INT16", "parameters": {"binary_data_size": 4}},
        {"name": "c", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}},
    ]
    body = orjson.dumps({"inputs": sent}) + struct.pack("<hhI", -7, 300, 2) + b"hi"
    payload = decode(body, "request", Hints(OCTETS))
    assert [t.values.tolist() for t in payload.tensors] == [[1.0], [[-7.0, 300.0]], ["hi"]]


def test_an_answer_with_binary_outputs_is_read() -> None:
    sent = encode_binary([Tensor("p", np.array([[0.25]]), "FP32")], kind="response")
    assert decode(sent.body, "response", hints(sent)).tensors[0].values.tolist() == [[0.25]]


def test_bf16_is_the_upper_half_of_fp32_rounded_to_even() -> None:
    for value, bits in ((1.0, 0x3F80), (-2.5, 0xC020), (1.00390625, 0x3F80), (1.01171875, 0x3F82), (np.inf, 0x7F80)):
        sent = encode_binary([Tensor("x", np.array([value]), "BF16")])
        assert sent.body[-2:] == struct.pack("<H", bits)
    body, told = joined(struct.pack("<HHH", 0x3F80, 0x7FC0, 0xFF80), datatype="BF16", shape=[3])
    np.testing.assert_array_equal(decode(body, "request", told).tensors[0].values, [1.0, np.nan, -np.inf])


def test_missing_and_infinite_floats_travel_in_binary() -> None:
    values = np.array([np.nan, np.inf, -np.inf])
    sent = encode_binary([Tensor("x", values, "FP16")])
    np.testing.assert_array_equal(decode(sent.body, "request", hints(sent)).tensors[0].values, values)


def test_missing_values_travel_in_json_as_null() -> None:
    sent = encode(
        [
            Tensor("f", np.array([np.nan, 0.1]), "FP32"),
            Tensor("i", np.array([np.nan, 3.0]), "INT8"),
            Tensor("b", np.array([np.nan, 1.0]), "BOOL"),
            Tensor("s", np.array([None, "a"], dtype=object), "BYTES"),
        ]
    )
    data = [tensor["data"] for tensor in orjson.loads(sent.body)["inputs"]]
    assert data == [[None, 0.1], [None, 3], [None, True], [None, "a"]]


@pytest.mark.parametrize(
    ("form", "values", "datatype"),
    [
        (encode, [np.inf], "FP64"),
        (encode, [1.5], "INT32"),
        (encode, [2.0], "BOOL"),
        (encode, [300.0], "UINT8"),
        (encode, [-1.0], "UINT64"),
        (encode, [1e19], "INT64"),
        (encode, ["x"], "INT64"),
        (encode_binary, [np.nan], "INT32"),
        (encode_binary, [1e6], "FP16"),
        (encode_binary, [None], "BYTES"),
    ],
)
def test_what_a_datatype_cannot_hold_is_not_sent(form: Any, values: list[Any], datatype: str) -> None:
    dtype = np.float64 if isinstance(values[0], float) else object
    with pytest.raises(Rejected) as caught:
        form([Tensor("x", np.array(values, dtype=dtype), datatype)])
    assert caught.value.field == "x.data"


@pytest.mark.parametrize(
    ("data", "tensor", "code", "field"),
    [
        (b"\0" * 7, {}, "bad_shape", "inputs[0].parameters.binary_data_size"),
        (b"\0" * 12, {}, "bad_shape", "inputs[0].parameters.binary_data_size"),
        (b"\0" * 8, {"shape": [10**18, 10**18]}, "bad_shape", "inputs[0].parameters.binary_data_size"),
        (b"", {"parameters": {"binary_data_size": 8}}, "truncated_tensor", "inputs[0].parameters.binary_data_size"),
        (b"\0" * 8, {"parameters": {"binary_data_size": -8}}, "bad_size", "inputs[0].parameters.binary_data_size"),
        (b"\0" * 8, {"parameters": {"binary_data_size": "8"}}, "bad_size", "inputs[0].parameters.binary_data_size"),
        (b"\0" * 8, {"parameters": {"binary_data_size": 4}, "shape": [1]}, "trailing_bytes", ""),
        (b"\0" * 8, {"data": [1, 2], "parameters": {}}, "trailing_bytes", ""),
        (b"\5\0\0\0ab", {"datatype": "BYTES"}, "truncated_tensor", "inputs[0].data[0]"),
        (b"\1\0\0\0a\1\0", {"datatype": "BYTES"}, "truncated_tensor", "inputs[0].data[1]"),
        (b"\1\0\0\0a", {"datatype": "BYTES"}, "bad_shape", "inputs[0].shape"),
        (b"\1\0\0\0a\1\0\0\0\xff", {"datatype": "BYTES"}, "bad_utf8", "inputs[0].data[1]"),
    ],
)
def test_a_bad_binary_tensor_is_named_by_its_path(data: bytes, tensor: dict[str, Any], code: str, field: str) -> None:
    assert rejected(*joined(data, **tensor)) == (400, code, field)


@pytest.mark.parametrize("json_length", [-1, 0, 10_000])
def test_a_length_of_json_outside_the_body_is_refused(json_length: int) -> None:
    body, _ = joined(b"\0" * 8)
    assert rejected(body, Hints(OCTETS, json_length)) == (400, "bad_length", "inference-header-content-length")


def test_bytes_behind_the_json_of_another_format_are_refused() -> None:
    assert rejected(b'{"instances":[1]}\0\0', Hints(OCTETS, 17))[:2] == (400, "bad_json")
