"""Tensors become fields by the rules of the contract, section 2."""

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import UNNAMED, exchange, half, rows

from collectors.building.exchanges import Exchange, Naming
from collectors.building.fields import WIDEST, blocks
from collectors.building.naming import Names
from collectors.formats import decode
from core.config import parse
from core.records import ModelKey, Tensor


def inputs(*tensors: Tensor, naming: Naming = UNNAMED) -> list[dict[str, Any]]:
    request = half()
    request = request._replace(payload=request.payload._replace(tensors=tensors))
    return [
        {kind: row[f"inputs_{kind}"] for kind in ("num", "cat", "vec") if row[f"inputs_{kind}"]}
        for row in rows(Exchange(request, None), naming=naming)
    ]


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 1, 1)])
def test_a_tensor_with_one_value_a_row_is_one_field_of_its_name(shape: tuple[int, ...]) -> None:
    assert inputs(Tensor("age", np.arange(3.0).reshape(shape))) == [{"num": {"age": float(i)}} for i in range(3)]


def test_the_columns_of_a_table_are_numbered_where_nobody_names_them() -> None:
    assert inputs(Tensor("x", np.array([[1.0, 2.0]]))) == [{"num": {"x_0": 1.0, "x_1": 2.0}}]


def test_the_payload_names_columns_and_the_configuration_has_the_last_word() -> None:
    table = Tensor("x", np.array([[1.0, 2.0]]), columns=("a", "b"))
    declared = Names(parse("models: {m: {names: {x: [age, pay]}}}"))(ModelKey("default", "m"))
    assert inputs(table) == [{"num": {"a": 1.0, "b": 2.0}}]
    assert inputs(table, naming=declared) == [{"num": {"age": 1.0, "pay": 2.0}}]


def test_names_that_are_too_few_are_passed_over() -> None:
    declared = Names(parse("models: {m: {names: {x: [age]}}}"))(ModelKey("default", "m"))
    assert inputs(Tensor("x", np.array([[1.0, 2.0]])), naming=declared) == [{"num": {"x_0": 1.0, "x_1": 2.0}}]


@pytest.mark.parametrize("shape", [(2, WIDEST + 1), (2, 3, 4), (2, 1, 3)])
def test_a_wide_or_deep_tensor_is_one_vector(shape: tuple[int, ...]) -> None:
    values = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
    assert inputs(Tensor("x", values)) == [{"vec": {"x": row.ravel().tolist()}} for row in values]


def test_as_wide_as_allowed_is_still_fields() -> None:
    [row] = inputs(Tensor("x", np.ones((1, WIDEST))))
    assert len(row["num"]) == WIDEST


def test_a_wide_or_deep_tensor_with_names_is_fields() -> None:
    names = tuple(f"n{j}" for j in range(WIDEST + 1))
    [row] = inputs(Tensor("x", np.ones((1, WIDEST + 1)), columns=names))
    assert tuple(row["num"]) == names


def test_wide_text_is_kept_as_one_text() -> None:
    [row] = inputs(Tensor("x", np.array([[["a", "b"], ["c", "d"]]], dtype=object), "BYTES"))
    assert orjson.loads(row["cat"]["x"]) == ["a", "b", "c", "d"]


def test_missing_values_are_absent_and_infinities_are_kept() -> None:
    number = Tensor("n", np.array([np.nan, np.inf, -np.inf]))
    text = Tensor("t", np.array([None, "a", ""], dtype=object), "BYTES")
    assert inputs(number, text) == [
        {},
        {"num": {"n": math.inf}, "cat": {"t": "a"}},
        {"num": {"n": -math.inf}, "cat": {"t": ""}},
    ]


def test_a_vector_of_nothing_but_missing_values_is_absent() -> None:
    values = np.array([[[1.0, np.nan]], [[np.nan, np.nan]]])
    first, second = inputs(Tensor("x", values))
    assert first["vec"]["x"][0] == 1.0 and second == {}


def test_a_number_declared_as_a_category_is_its_shortest_text() -> None:
    declared = Naming(UNNAMED.inputs, UNNAMED.outputs, {"x_0": "cat"})
    table = Tensor("x", np.array([[3.0, 1.0], [3.5, 1.0], [-0.0, 1.0], [np.nan, 1.0], [2.0**60, 1.0], [np.inf, 1.0]]))
    assert [row.get("cat", {}).get("x_0") for row in inputs(table, naming=declared)] == [
        "3",
        "3.5",
        "0",
        None,
        "1152921504606846976",
        "inf",
    ]
    assert {row["num"]["x_1"] for row in inputs(table, naming=declared)} == {1.0}


def test_integers_that_float64_does_not_hold_are_text_whatever_comes_with_them() -> None:
    body = b'{"inputs": [{"name": "n", "shape": [2], "datatype": "INT64", "data": [9007199254740993, 1]}]}'
    assert inputs(*decode(body, "request").tensors) == [{"cat": {"n": "9007199254740993"}}, {"num": {"n": 1.0}}]


def test_an_output_of_one_row_for_all_is_transposed() -> None:
    found = rows(exchange({"x": [1.0, 2.0, 3.0]}, {"score": [[7.0, 8.0, 9.0]]}))
    assert [row["outputs_num"] for row in found] == [{"score": 7.0}, {"score": 8.0}, {"score": 9.0}]


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        ([5.0], "num", 5.0),
        ([5.0, 6.0], "vec", [5.0, 6.0]),
        ([[1.0, 2.0], [3.0, 4.0]], "vec", [1.0, 2.0, 3.0, 4.0]),
        (["a"], "cat", "a"),
        (["a", "b"], "cat", '["a","b"]'),
    ],
)
def test_any_other_output_is_kept_whole_on_the_first_row(values: Any, kind: str, kept: Any) -> None:
    found = rows(exchange({"x": [1.0, 2.0, 3.0]}, {"y": values}))
    assert found[0][f"outputs_{kind}"] == {"y": kept}
    assert not any(row[f"outputs_{k}"] for row in found[1:] for k in ("num", "cat", "vec"))


def test_an_output_kept_whole_never_costs_a_copy_a_row() -> None:
    """100,000 rows with an answer of a million numbers would be 800 GB as one vector a row."""
    found = rows(exchange({"x": np.zeros(100_000)}, {"y": np.zeros((2, 500_000))}))
    assert len(orjson.loads(found[0]["outputs_cat"]["y"])) == 2
    assert not found[1]["outputs_cat"]


NUMBERS = st.sampled_from([0.0, -0.0, 1.5, -3.0, 2.0**53, np.inf, -np.inf, np.nan])
TEXTS = st.sampled_from(["", "a", "ü", None])


@st.composite
def tables(draw: st.DrawFn) -> list[Tensor]:
    count = draw(st.integers(1, 4))
    found = []
    for number in range(draw(st.integers(1, 3))):
        tail = draw(st.sampled_from([(), (1,), (2,), (2, 2)]))
        textual = draw(st.booleans())
        size = count * math.prod(tail)
        flat = draw(st.lists(TEXTS if textual else NUMBERS, min_size=size, max_size=size))
        values = np.array(flat, dtype=object if textual else np.float64).reshape(count, *tail)
        found.append(Tensor(f"t{number}", values, "BYTES" if textual else "FP64"))
    return found


def one_row(tensors: list[Tensor], row: int, kinds: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The contract, read word by word for one row."""
    found: dict[str, dict[str, Any]] = {"num": {}, "cat": {}, "vec": {}}
    for name, values, *_ in tensors:
        cells = values[row]
        if np.ndim(cells) <= 1:
            flat = np.ravel(cells).tolist() if np.ndim(cells) else [cells]
            names = [name] if len(flat) == 1 else [f"{name}_{j}" for j in range(len(flat))]
            for field, value in zip(names, flat, strict=True):
                if value is None or value != value:
                    continue
                if isinstance(value, str):
                    found["cat"][field] = value
                elif kinds.get(field) == "cat":
                    whole = math.isfinite(value) and value == int(value)
                    found["cat"][field] = str(int(value)) if whole else str(float(value))
                else:
                    found["num"][field] = float(value)
        elif values.dtype == object:
            found["cat"][name] = orjson.dumps(np.ravel(cells).tolist()).decode()
        elif not all(v != v for v in np.ravel(cells)):
            found["vec"][name] = [float(v) for v in np.ravel(cells)]
    return found


@given(tables(), st.sets(st.sampled_from(["t0", "t1_0", "t1", "t2_1"])))
@settings(max_examples=150, deadline=None)
def test_columns_at_once_give_what_row_by_row_would(tensors: list[Tensor], categories: set[str]) -> None:
    kinds = dict.fromkeys(categories, "cat")
    found = inputs(*tensors, naming=Naming(UNNAMED.inputs, UNNAMED.outputs, kinds))
    expected = [one_row(tensors, row, kinds) for row in range(len(tensors[0].values))]
    assert repr(found) == repr([{k: v for k, v in row.items() if v} for row in expected])


def test_names_that_repeat_in_one_payload_are_kept_apart() -> None:
    pair, single = Tensor("x", np.array([[1.0, 2.0]])), Tensor("x_0", np.array([3.0]))
    found = blocks([pair, single, single], lambda tensor, columns: ())
    assert [name for block in found for name in block.names] == ["x_0", "x_1", "x_0.x_0", "x_0.x_0.2"]
