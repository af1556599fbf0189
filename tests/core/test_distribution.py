import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.distribution import Distribution, effective_rows

numbers = st.lists(st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan]), max_size=40)


@settings(deadline=None, max_examples=60)
@given(numbers, st.randoms())
def test_values_and_counts_do_not_depend_on_the_order_of_rows(rows, random):
    one = Distribution.of_numbers(np.array(rows, dtype=float))
    random.shuffle(rows)
    other = Distribution.of_numbers(np.array(rows, dtype=float))
    assert np.array_equal(one.values, other.values) and np.array_equal(one.counts, other.counts)
    assert one.missing == other.missing == sum(map(np.isnan, rows))


@settings(deadline=None, max_examples=60)
@given(numbers)
def test_values_ascend_and_every_row_is_counted_once(rows):
    made = Distribution.of_numbers(np.array(rows, dtype=float))
    assert (made.values[1:] > made.values[:-1]).all() and (made.counts > 0).all()
    assert made.total == made.effective_rows == len(rows)


@settings(deadline=None, max_examples=60)
@given(numbers, st.integers(0, 3))
def test_weights_of_one_change_nothing(rows, missing):
    values = np.array(rows, dtype=float)
    plain = Distribution.of_numbers(values, missing=float(missing))
    weighted = Distribution.of_numbers(values, np.ones(len(values)), float(missing))
    assert np.array_equal(plain.values, weighted.values) and np.array_equal(plain.counts, weighted.counts)
    assert (plain.missing, plain.kind) == (weighted.missing, weighted.kind)
    assert plain.effective_rows == pytest.approx(weighted.effective_rows)


def test_effective_rows_are_kishs_and_count_the_missing():
    made = Distribution.of_numbers(np.array([1.0, 1.0, 2.0, np.nan]), np.array([1.0, 3.0, 2.0, 2.0]))
    assert made.counts.tolist() == [4.0, 2.0] and made.missing == 2.0
    assert made.effective_rows == pytest.approx(8.0**2 / (1 + 9 + 4 + 4))
    assert effective_rows(np.zeros(0)) == 0.0


def test_values_that_no_weight_stands_for_are_left_out():
    assert Distribution.of_numbers(np.array([1.0, 2.0]), np.array([0.0, 1.0])).values.tolist() == [2.0]
    assert Distribution.of_categories(["a", "b"], [0, 3]).values.tolist() == ["b"]


def test_categories_are_sorted_with_their_counts():
    made = Distribution.of_categories(["b", "a"], [1, 2], missing=3)
    assert (made.values.tolist(), made.counts.tolist(), made.kind) == (["a", "b"], [2.0, 1.0], "cat")
    assert made.total == made.effective_rows == 6


@pytest.mark.parametrize("empty", [Distribution.of_numbers(np.zeros(0)), Distribution.of_categories([], [])])
def test_no_rows_are_a_distribution_too(empty):
    assert (len(empty.values), empty.total, empty.effective_rows) == (0, 0.0, 0.0)
