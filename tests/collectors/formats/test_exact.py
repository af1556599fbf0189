"""Integers of JSON keep every digit, whichever way they come; nothing else is read differently."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.building.naming import Names
from collectors.formats import decode, exact
from collectors.formats.body import loads
from collectors.labels.reading import read_labels
from collectors.rows import Defaults
from collectors.rows.records import read_json, read_ndjson
from core.config import Limits, parse
from core.errors import Rejected

BIG = 123456789012345678901234567890
NAMES = Names(parse("models: {m: {fields: {code: {kind: cat}}}}"))
DEFAULTS = Defaults("default", "m", "", "api", 1_800_000_000_000_000)

edges = st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, BIG, 10**308])
digits = st.text(st.sampled_from('0123456789-+.eE,:[]{}" \\'), max_size=40)
scalars = edges | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | digits | st.none() | st.booleans()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(digits, inner, max_size=3))


@given(value=values.map(lambda value: [value]), indent=st.sampled_from([None, 1]), compact=st.booleans())
@settings(max_examples=500, deadline=None)
def test_integers_keep_their_digits_and_all_else_is_read_as_ever(value: Any, indent: int | None, compact: bool) -> None:
    text = json.dumps(value, indent=indent, separators=(",", ":") if compact else None).encode()
    assert repr(exact.loads(text)) == repr(value)
    assert repr(exact.loads(exact.dumps(value))) == repr(value)


def test_times_in_nanoseconds_do_not_take_the_slow_way(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = list[str]()
    monkeypatch.setattr(json, "loads", lambda text: slow.append(text) or "read slowly")
    for text in (b'{"t": 1732665600000000000, "u":-1732665600000000000}', b"[18446744073709551615]", b"[0.%d]" % BIG):
        assert exact.loads(text) == orjson.loads(text)
    assert slow == [] and exact.loads(b"[1732665600000000000,%d,1732665600000000000]" % BIG) == "read slowly"


def test_digits_within_a_string_are_a_string_however_many() -> None:
    value = ["code: " + "9" * 5000, "-" + "1" * 25, 1732665600000000000]
    assert exact.loads(orjson.dumps(value)) == value


@given(text=st.text(st.sampled_from('0123456789-+.eE,:[]{}" \\u'), max_size=60))
@settings(max_examples=500, deadline=None)
def test_what_is_no_json_stays_none(text: str) -> None:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        with pytest.raises(orjson.JSONDecodeError):
            exact.loads(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        b'[%d, "\\ud800"]' % BIG,
        b'[%d, "\xff"]' % BIG,
        b"[%d, 1e999]" % BIG,
        b"[%d, 0%d]" % (BIG, BIG),
        b"[%d,]" % BIG,
        b"[1%s]" % (b"0" * 309),
    ],
)
def test_beside_a_long_integer_json_is_as_strict_as_without(text: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        loads(text, Limits())
    assert caught.value.code in ("bad_json", "bad_utf8")


def test_of_a_key_that_is_there_twice_the_last_counts_beside_a_long_integer_too() -> None:
    assert exact.loads(b'{"a": 1, "a": %d, "a": 2}' % BIG) == orjson.loads(b'{"a": 1, "a": 2}')


def test_nan_and_infinities_may_stand_beside_long_integers() -> None:
    assert loads(b'{"a": NaN, "b": -Infinity, "c": %d}' % BIG, Limits()) == {"a": None, "b": float("-inf"), "c": BIG}


def test_deep_json_with_a_long_integer_is_refused_and_no_crash() -> None:
    with pytest.raises(Rejected) as caught:
        loads(b"[" * 1000 + b" %d" % BIG + b"]" * 1000, Limits(nesting=1000))
    assert caught.value.code == "too_deep"


def test_a_row_with_an_integer_beyond_64_bits_has_all_its_digits() -> None:
    row = b'{"id": %d, "inputs": {"n": %d, "code": -%d}, "tags": {"t": %d}, "labels": {"y": %d}}' % ((BIG,) * 5)
    for read in (read_json(b'{"predictions": [%s]}' % row, DEFAULTS, NAMES), read_ndjson(row, DEFAULTS, NAMES)):
        (said,) = read.batch.to_pylist(maps_as_pydicts="strict")
        assert (said["id"], said["tags"], said["inputs_num"]) == (str(BIG), {"t": str(BIG)}, {})
        assert said["inputs_cat"] == {"n": str(BIG), "code": f"-{BIG}"}
        assert read.labels and read.labels.batch.column("value").to_pylist() == [str(BIG)]


def test_a_bad_row_or_label_is_kept_with_all_its_digits() -> None:
    (row,) = read_ndjson(b'{"inputs": {"n": %d}, "weight": -1}' % BIG, DEFAULTS, NAMES).rejected
    (label,) = read_labels(b'{"labels": [{"id": "a", "value": %d, "x": 1}]}' % BIG, DEFAULTS).rejected
    assert str(BIG).encode() in row.body and str(BIG).encode() in label.body


def test_an_integer_too_large_for_its_tensors_datatype_is_text_and_in_a_float_tensor_a_number() -> None:
    body = b'{"id": %d, "inputs": [{"name": "x", "shape": [2], "datatype": "%s", "data": [%d, 1]}]}'
    whole, floating = (decode(body % (BIG, kind, BIG), "request") for kind in (b"INT64", b"FP64"))
    assert whole.id == floating.id == str(BIG)
    assert whole.tensors[0].values.tolist() == [str(BIG), "1"]
    assert floating.tensors[0].values.tolist() == [float(BIG), 1.0]


def test_in_v1_an_integer_beyond_64_bits_is_text_and_inside_an_object_too() -> None:
    (tensor,) = decode(b'{"instances": [%d, 1]}' % BIG, "request").tensors
    assert tensor.values.tolist() == [str(BIG), "1"]
    (tensor,) = decode(b'{"instances": [{"a": {"b": %d}}]}' % BIG, "request").tensors
    assert tensor.values.tolist() == [f'{{"b":{BIG}}}']


def test_a_shape_beyond_64_bits_is_refused() -> None:
    tensor = b'{"inputs": [{"name": "x", "shape": [%d], "datatype": "FP64", "data": [1]}]}' % BIG
    with pytest.raises(Rejected) as caught:
        decode(tensor, "request")
    assert caught.value.code == "bad_shape"
