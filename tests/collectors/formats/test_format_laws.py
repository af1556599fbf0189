"""What holds for every format, whatever is sent."""

import copy
import importlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectors.formats
from collectors.formats import FORMATS, Hints, decode, detect
from collectors.formats.body import Document
from core.config import Limits
from core.errors import Rejected
from core.records import HalfKind, Payload

PLAIN = Hints()
FOLDER = Path(collectors.formats.__file__).parent
KEYS = "inputs outputs instances predictions data names ndarray tensor shape values strData jsonData binData"
MORE_KEYS = "error status meta puid name datatype parameters content_type binary_data_size b64 id model_name"
WELL_FORMED: dict[str, bytes] = {
    "v2": b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}',
    "v1": b'{"instances":[[1,2]]}',
    "seldon1": b'{"data":{"names":["a","b"],"ndarray":[[1,2]]}}',
    "error": b'{"error":"no such model"}',
}

keys = st.sampled_from([*KEYS.split(), *MORE_KEYS.split()])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from(["FP64", "INT64", "BYTES", "BOOL", "BF16", "base64"]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=12
)
tensors = st.fixed_dictionaries(
    {"name": scalars, "shape": st.lists(st.integers(0, 3), max_size=3) | values, "datatype": scalars, "data": values},
    optional={"parameters": values},
)
documents = st.dictionaries(keys, values | st.lists(tensors, max_size=2), max_size=4)
kinds: st.SearchStrategy[HalfKind] = st.sampled_from(["request", "response"])


def outcome(body: bytes, kind: HalfKind, hints: Hints = PLAIN) -> Payload | tuple[int, str, str]:
    try:
        return decode(body, kind, hints)
    except Rejected as error:
        return error.status, error.code, error.field


def check_tensors(payload: Payload) -> None:
    for tensor in payload.tensors:
        assert tensor.name is not None and tensor.values.ndim >= 1
        if tensor.values.dtype == object:
            assert {type(cell) for cell in tensor.values.flat} <= {str, type(None)}
        else:
            assert tensor.values.dtype == np.float64
        assert not tensor.columns or len(tensor.columns) == tensor.values.shape[1]


def test_every_file_with_a_decoder_is_registered_under_its_name() -> None:
    modules = {p.stem: importlib.import_module(f"collectors.formats.{p.stem}") for p in FOLDER.glob("[a-z]*.py")}
    members = {name: module for name, module in modules.items() if hasattr(module, "matches")}
    assert members == FORMATS


def test_every_format_recognises_its_own_body_and_this_suite_has_one_for_each() -> None:
    assert {name: detect(body) for name, body in WELL_FORMED.items()} == {name: name for name in FORMATS}


@given(body=st.binary(max_size=200), kind=kinds, json_length=st.none() | st.integers(-5, 300))
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_are_rejected_and_nothing_else(body: bytes, kind: HalfKind, json_length: int | None) -> None:
    outcome(body, kind, Hints("application/octet-stream", json_length))


@given(document=documents, kind=kinds)
@settings(max_examples=400, deadline=None)
def test_arbitrary_json_gives_well_formed_tensors_or_is_rejected(document: dict[str, Any], kind: HalfKind) -> None:
    result = outcome(orjson.dumps(document), kind)
    if isinstance(result, Payload):
        check_tensors(result)


@pytest.mark.parametrize("name", FORMATS)
@given(document=documents, tail=st.binary(max_size=20), kind=kinds)
@settings(max_examples=150, deadline=None)
def test_a_member_leaves_what_it_reads_as_it_was_and_says_the_same_twice(
    name: str, document: dict[str, Any], tail: bytes, kind: HalfKind
) -> None:
    member, before = FORMATS[name], copy.deepcopy(document)
    if not member.matches(document):
        return
    said = []
    for _ in range(2):
        try:
            said.append(repr(member.decode(Document(document, tail), kind, Hints())))
        except Rejected as error:
            said.append(str(error))
    assert said[0] == said[1]
    assert repr(document) == repr(before)


@given(cut=st.integers(0, 200), kind=kinds)
@settings(max_examples=60, deadline=None)
def test_a_body_cut_short_is_bad_json(cut: int, kind: HalfKind) -> None:
    for body in WELL_FORMED.values():
        if cut < len(body):
            assert outcome(body[:cut], kind) == (400, "bad_json", "")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" * 10_000_000, "too_deep"),
        (b'{"instances":' + b"[" * 10_000_000, "too_deep"),
        (b'{"inputs":' * 1_000_000, "too_deep"),
        (b'{"instances":' + b"[" * 40 + b"1" + b"]" * 40 + b"}", "too_deep"),
        (b'{"instances":[' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"]}", "too_deep"),
        (b'{"instances":' + b"[" * 1_015 + b"Infinity" + b"]" * 1_015 + b"}", "too_deep"),
        (b'{"instances":[NaN,"' + b'\\"' * 2_000_000, "bad_json"),
        (b'{"binary_data_size":' + b'{"a":' * 100_000, "too_deep"),
        (b'{"instances":[{' + b",".join(b'"f%d":1' % i for i in range(100_000)) + b"}]}", "too_many_fields"),
        (b'{"inputs":[' + b",".join([b'{"shape":[1]}'] * 100_000) + b"]}", "too_many_tensors"),
        (b'{"instances":[' + b",".join(b'{"f%d":1}' % i for i in range(9_000)) + b"]}", "too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_body_is_refused_at_once(body: bytes, code: str) -> None:
    start = time.perf_counter()
    result = outcome(body, "request", Hints(limits=Limits(body_bytes=2**26)))
    assert isinstance(result, tuple) and result[1] == code
    assert time.perf_counter() - start < 2
