"""The fingerprint of a prediction is of what it says, not of how it was sent."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import NOW, UNNAMED, exchange, rows

from collectors.rows import Defaults
from collectors.rows.arrow import read_arrow
from collectors.rows.records import read_json

DEFAULTS = Defaults("default", "m", "", "api", NOW)


def content(inputs: dict[str, Any], outputs: dict[str, Any] | None = None) -> int:
    [row] = rows(exchange(inputs, outputs))
    return int(row["content"])


def from_json(*predictions: dict[str, Any]) -> list[int]:
    body = orjson.dumps({"model": "m", "predictions": predictions})
    return list(read_json(body, DEFAULTS, lambda model: UNNAMED).batch.column("content").to_pylist())


def from_arrow(columns: dict[str, Any]) -> list[int]:
    table, buffer = pa.table(columns), pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    read = read_arrow(buffer.getvalue().to_pybytes(), DEFAULTS, lambda model: UNNAMED)
    return list(read.batch.column("content").to_pylist())


FIELDS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.one_of(
        st.floats(allow_nan=False, width=32),
        st.sampled_from(["", "x", "ü"]),
        st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=3),
    ),
)


@given(FIELDS, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_fields_does_not_matter(fields: dict[str, Any], random: Any) -> None:
    shuffled = list(fields.items())
    random.shuffle(shuffled)
    assert from_json({"inputs": fields}) == from_json({"inputs": dict(shuffled)})


@given(st.lists(FIELDS, min_size=2, max_size=4))
@settings(max_examples=100, deadline=None)
def test_rows_with_fields_of_their_own_have_the_content_they_have_alone(fields: list[dict[str, Any]]) -> None:
    found = [{"inputs": f, "outputs": {"p": 1.0}} for f in fields]
    assert from_json(*found) == [content for prediction in found for content in from_json(prediction)]


BASE: dict[str, Any] = {"a": [1.0], "b": [2.0], "t": ["x"], "v": np.arange(4.0).reshape(1, 2, 2)}


@pytest.mark.parametrize(
    "changed",
    [
        BASE | {"a": [2.0], "b": [1.0]},
        BASE | {"a": [np.nextafter(1.0, 2.0)]},
        BASE | {"a": [np.nan]},
        BASE | {"a": [np.inf]},
        BASE | {"t": ["y"]},
        BASE | {"t": [None]},
        BASE | {"a": ["1"]},
        BASE | {"v": np.arange(4.0)[::-1].reshape(1, 2, 2)},
        {k: v for k, v in BASE.items() if k != "v"},
        {("c" if k == "a" else k): v for k, v in BASE.items()},
        BASE | {"more": [0.0]},
    ],
    ids=str,
)
def test_another_value_name_or_presence_is_other_content(changed: dict[str, Any]) -> None:
    assert content(BASE) != content(changed)


def test_an_input_is_not_an_output() -> None:
    assert content({"x": [1.0]}, {"y": [2.0]}) != content({"y": [2.0]}, {"x": [1.0]})
    assert content({"x": [1.0]}, {"x": [2.0]}) != content({"x": [2.0]}, {"x": [1.0]})


def test_minus_zero_is_zero() -> None:
    vector = np.array([[[0.0, -0.0]]])
    assert content({"x": [-0.0], "v": vector}) == content({"x": [0.0], "v": -vector})


def test_of_wide_rows_each_has_its_own_content() -> None:
    wide = np.zeros((3, 2000))
    wide[1, 1999] = 1.0
    first, second, third = (row["content"] for row in rows(exchange({"x": wide})))
    assert first == third != second


@given(
    st.lists(st.tuples(st.floats(allow_nan=False), st.sampled_from(["x", "y"]), st.booleans()), min_size=1, max_size=4)
)
@settings(max_examples=60, deadline=None)
def test_the_same_values_have_the_same_content_whatever_brings_them(values: list[tuple[float, str, bool]]) -> None:
    numbers, texts, outputs = (list(column) for column in zip(*values, strict=True))
    vectors = [[float(np.float32(n)), 2.0] for n in range(len(values))]
    sent = exchange({"n": numbers, "t": texts, "v": np.array(vectors)[:, None, :]}, {"p": np.array(outputs, float)})
    as_json = [
        {"inputs": {"t": t, "v": v, "n": n}, "outputs": {"p": p}}
        for n, t, v, p in zip(numbers, texts, vectors, outputs, strict=True)
    ]
    finite = [p for p in as_json if np.isfinite(p["inputs"]["n"])]
    contents = [row["content"] for row in rows(sent)]
    columns = {"inputs.v": vectors, "outputs.p": outputs, "inputs.n": numbers, "inputs.t": texts}
    assert from_arrow(columns) == contents
    assert from_json(*finite) == [c for c, n in zip(contents, numbers, strict=True) if np.isfinite(n)]
