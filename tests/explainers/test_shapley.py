import itertools

import numpy as np
import pytest

from explainers import Question
from explainers.shapley import Shapley

# A budget that no exact answer fits in, with pairs enough for good standard errors.
SAMPLED = Shapley(budget_rows=600)
RANDOM = np.random.default_rng(11)
ROWS, BACKGROUND = RANDOM.normal(size=(2, 6)), RANDOM.normal(size=(40, 6))


def names(fields):
    return tuple(f"f{i}" for i in range(fields))


def ask(rows=ROWS, background=BACKGROUND):
    return Question(rows, background, names(rows.shape[1]), "y")


def linear(rows, fields):
    return {"y": rows @ np.arange(1.0, 1 + rows.shape[1]) + 5}


def tangled(rows, fields):
    """Interactions of all orders; the last field plays no part."""
    a, b, c, d = rows.T[:4]
    return {"y": np.tanh(a * b) + np.maximum(c, a) * d - b * c * d}


def by_every_order(predict, row, background):
    """The definition: each field's gain in mean prediction when it becomes known, over all orders."""
    fields, values = len(row), np.zeros(len(row))
    orders = list(itertools.permutations(range(fields)))
    for order in orders:
        rows = background.copy()
        before = predict(rows, names(fields))["y"].mean()
        for field in order:
            rows[:, field] = row[field]
            after = predict(rows, names(fields))["y"].mean()
            values[field] += after - before
            before = after
    return values / len(orders)


def test_a_linear_model_has_the_closed_form():
    for row, found in zip(ROWS, Shapley().explain(ask(), linear), strict=True):
        assert found.values == pytest.approx(np.arange(1.0, 7.0) * (row - BACKGROUND.mean(axis=0)))
        assert not found.errors.any()


def test_a_linear_model_has_the_closed_form_when_sampled_with_every_background_row_in_turn():
    question = ask(background=BACKGROUND[:20])
    for row, found in zip(ROWS, SAMPLED.explain(question, linear), strict=True):  # 60 pairs, three turns
        assert found.values == pytest.approx(np.arange(1.0, 7.0) * (row - BACKGROUND[:20].mean(axis=0)))


def test_exact_values_are_those_over_every_order():
    rows, background = ROWS[:, :5], BACKGROUND[:7, :5]
    for row, found in zip(rows, Shapley().explain(ask(rows, background), tangled), strict=True):
        assert found.values == pytest.approx(by_every_order(tangled, row, background), abs=1e-12)


def test_sampled_values_are_within_their_errors_of_those_over_every_order():
    rows, background = ROWS[:1, :5], BACKGROUND[:30, :5]
    found = Shapley(budget_rows=800).explain(ask(rows, background), tangled)[0]
    away = np.abs(found.values - by_every_order(tangled, rows[0], background))
    assert (found.errors[:4] > 0).all() and (away <= 4 * found.errors + 1e-12).all()


def test_a_field_that_plays_no_part_gets_nothing():
    for explainer in (Shapley(), SAMPLED):
        for found in explainer.explain(ask(), tangled):
            assert np.abs(found.values[4:]).max() < 1e-12 < np.abs(found.values[:4]).min()


def test_fields_that_play_the_same_part_get_the_same():
    row, background = np.ones((1, 4)), np.repeat(BACKGROUND[:, :1], 4, axis=1)
    found = Shapley().explain(ask(row, background), lambda rows, fields: {"y": rows.prod(axis=1)})[0]
    assert found.values == pytest.approx(np.full(4, found.values[0])) and found.values[0] != 0


@pytest.mark.parametrize("budget_rows", [1, 100, 350, 601])
def test_sampled_values_sum_to_prediction_less_baseline_whatever_rows_were_drawn(budget_rows):
    for found in Shapley(budget_rows=budget_rows).explain(ask(), tangled):
        assert found.errors.any()
        assert found.values.sum() == pytest.approx(found.prediction - found.baseline, abs=1e-12)


def test_sampled_values_of_a_yes_or_no_model_sum_up_though_only_one_answer_was_drawn():
    background = np.vstack([np.zeros((500, 6)), np.full((3, 6), 9.0)])
    found = Shapley(budget_rows=100).explain(ask(background=background), lambda r, f: {"y": 1.0 * (r[:, 0] > 5)})[0]
    assert found.values.sum() == pytest.approx(found.prediction - found.baseline, abs=1e-12)


def test_standard_errors_cover_the_exact_values_as_often_as_they_claim():
    exact = Shapley().explain(ask(), tangled)[0].values[:4]
    runs = [Shapley(budget_rows=600, seed=s).explain(ask(ROWS[:1]), tangled)[0] for s in range(150)]
    z = np.array([(run.values[:4] - exact) / run.errors[:4] for run in runs])
    assert 0.92 < (np.abs(z) < 1.96).mean() <= 1
    assert np.abs(z.mean(axis=0)).max() < 0.3


def test_twice_the_budget_halves_the_variance():
    small, large = (Shapley(budget_rows=b).explain(ask(), tangled)[0].errors[:4] for b in (1000, 2400))
    assert (large / small) ** 2 == pytest.approx(np.full(4, 1000 / 2400), rel=0.4)


def test_missing_cells_reach_the_model_as_they_are():
    rows, background = np.array([[np.nan, 1.0]]), np.array([[2.0, np.nan]])
    seen = []

    def remember(rows, fields):
        seen.extend(map(tuple, np.where(np.isnan(rows), -1.0, rows)))
        return {"y": np.isnan(rows).sum(axis=1) * 1.0}

    found = Shapley().explain(ask(rows, background), remember)[0]
    assert set(seen) == {(-1.0, 1.0), (2.0, -1.0), (-1.0, -1.0), (2.0, 1.0)}
    assert found.values.tolist() == [1.0, -1.0]


@pytest.mark.parametrize("explainer", [Shapley(batch_rows=64), Shapley(budget_rows=600, batch_rows=64)])
def test_the_model_is_asked_in_batches_and_every_row_is_counted(explainer):
    sizes = []

    def counted(rows, fields):
        sizes.append(len(rows))
        return tangled(rows, fields)

    found = explainer.explain(ask(), counted)
    assert max(sizes) == 64
    assert sum(sizes) == len(BACKGROUND) + sum(answer.model_calls for answer in found)
    assert all(answer.model_calls <= explainer.budget_rows + 1 for answer in found)


def test_batches_do_not_change_the_values():
    one, many = (Shapley(budget_rows=600, batch_rows=b).explain(ask(), tangled) for b in (7, 10_000))
    assert all(a.values == pytest.approx(b.values, abs=1e-12) for a, b in zip(one, many, strict=True))
