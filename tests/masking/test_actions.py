"""Every action of ACTIONS: what is missing stays missing, each value is masked for itself, and nothing else is left."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from collectors.masking import ACTIONS
from collectors.masking.action import Action, Unmaskable
from core.config.masking import Do

KEY = b"0123456789abcdef"
SAMPLES: dict[str, Any] = {
    "constant": {"constant": "x"},
    "drop": "drop",
    "hash": "hash",
    "pattern": {"pattern": r"\d+", "with": "#"},
    "truncate": {"truncate": 2},
}
TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8")))
NUMBERS = st.lists(st.floats(width=64))


def action(do: Any, key: bytes = KEY) -> Action:
    name = do if isinstance(do, str) else next(iter(do))
    return ACTIONS[name](TypeAdapter(Do).validate_python(do), key)


def test_every_action_has_a_sample_here() -> None:
    assert SAMPLES.keys() == ACTIONS.keys()


@pytest.mark.parametrize("do", SAMPLES.values(), ids=SAMPLES)
@settings(deadline=None)
@given(TEXTS)
def test_missing_texts_stay_missing_and_each_is_masked_for_itself(do: Any, values: list[str | None]) -> None:
    masked = action(do).texts(values)
    assert [value for value, given in zip(masked, values, strict=True) if given is None] == [None] * values.count(None)
    assert list(masked) == [action(do).texts([value])[0] for value in values]


@pytest.mark.parametrize("do", ["drop", {"truncate": 2}, {"constant": 7.5}], ids=str)
@settings(deadline=None)
@given(NUMBERS)
def test_missing_numbers_stay_missing_and_each_is_masked_for_itself(do: Any, values: list[float]) -> None:
    numbers = np.array(values)
    masked = action(do).numbers(numbers)
    assert np.isnan(masked[np.isnan(numbers)]).all()
    assert np.array_equal(masked, [action(do).numbers(np.array([value]))[0] for value in values], equal_nan=True)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_a_hash_keeps_equality_and_inequality(one: str, other: str) -> None:
    first, second = action("hash").texts([one, other])
    assert (first == second) == (one == other)


@given(st.text(st.characters(codec="utf-8")))
def test_a_hash_differs_by_key_and_holds_nothing_of_the_text(text: str) -> None:
    (here,), (there,) = action("hash").texts([text]), action("hash", b"another key, long").texts([text])
    assert here != there
    assert len(here or "") == 32 and (len(text) < 3 or text not in (here or ""))


def test_dropped_values_are_missing() -> None:
    assert action("drop").texts(["a", None]) == [None, None]
    assert np.isnan(action("drop").numbers(np.array([1.0, np.inf]))).all()


@pytest.mark.parametrize(
    ("value", "digits", "kept"),
    [
        (1987.5, 2, 1900.0),
        (0.3, 1, 0.3),
        (0.0456, 2, 0.045),
        (-1987.5, 1, -1000.0),
        (0.0, 3, 0.0),
        (math.inf, 1, math.inf),
    ],
)
def test_a_number_keeps_its_leading_digits(value: float, digits: int, kept: float) -> None:
    assert action({"truncate": digits}).numbers(np.array([value]))[0] == kept


def test_a_text_keeps_its_first_characters() -> None:
    assert action({"truncate": 3}).texts(["äöüß", "ab", None]) == ["äöü", "ab", None]


def test_a_constant_number_among_texts_is_its_category() -> None:
    assert action({"constant": 0}).texts(["a", None]) == ["0", None]


def test_groups_of_a_pattern_can_stay() -> None:
    assert action({"pattern": r"(\w)\w*@", "with": r"\1*@"}).texts(["bob@home", "none"]) == ["b*@home", "none"]


def test_no_pattern_backtracks_for_ever() -> None:
    """Python's own `re` would take 2^99,999 steps."""
    assert action({"pattern": "(a+)+$", "with": ""}).texts(["a" * 99_999 + "b"]) == ["a" * 99_999 + "b"]


def test_a_text_too_long_to_be_searched_is_named_and_not_masked() -> None:
    with pytest.raises(Unmaskable, match="longer than 3 characters") as raised:
        action({"pattern": "x", "with": "", "longest": 3}).texts(["ok", "long text", None])
    assert raised.value.failed.tolist() == [False, True, False]
    assert "long text" not in str(raised.value)
