"""Shapley values from every set of known fields."""

import math

import numpy as np
from numpy.typing import NDArray

from core.distribution import Floats

from ._model import ROWS_AT_ONCE, Comparison, Model


def exact_rows(comparison: Comparison) -> int:
    """Model rows that `exact_values` asks for: every set but the empty and the full one, over the whole background."""
    return (2 ** len(comparison.row) - 2) * len(comparison.background) if len(comparison.row) else 0


def exact_values(model: Model, comparison: Comparison) -> Floats:
    """Sum over the sets S without the field of |S|! (k - |S| - 1)! / k! times v(S with it) - v(S); shape (fields,)."""
    fields = len(comparison.row)
    sets = np.arange(2**fields)
    known = (sets[:, None] >> np.arange(fields)) & 1 == 1
    worth = _worth(model, comparison, known)
    weights = np.array([1 / (fields * math.comb(fields - 1, size)) for size in range(fields)])
    values = np.empty(fields)
    for field in range(fields):
        without = sets[~known[:, field]]
        gained = worth[without | (1 << field)] - worth[without]
        values[field] = weights[known[without].sum(axis=1)] @ gained
    return values


def _worth(model: Model, comparison: Comparison, known: NDArray[np.bool_]) -> Floats:
    """v of each set: the model's mean answer over the background, with the row's own values in the known fields."""
    worth = np.empty(len(known))
    worth[0], worth[-1] = comparison.baseline, comparison.prediction
    sets_at_once = max(ROWS_AT_ONCE // len(comparison.background), 1)
    for start in range(1, len(known) - 1, sets_at_once):
        chunk = known[start : min(start + sets_at_once, len(known) - 1)]
        rows = np.where(chunk[:, None, :], comparison.row, comparison.background)
        answers = model(rows.reshape(-1, rows.shape[-1]))
        worth[start : start + len(chunk)] = answers.reshape(len(chunk), -1).mean(axis=1)
    return worth
