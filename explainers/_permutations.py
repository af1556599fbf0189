"""Shapley values from random orders of the fields."""

import numpy as np
from numpy.typing import NDArray

from core.distribution import Floats

from ._model import ROWS_AT_ONCE, Comparison, Model

# Fewer leave too little to estimate a standard error from.
_FEWEST_PAIRS = 10


def number_of_pairs(fields: int, budget_rows: int) -> int:
    """Pairs of orders that `budget_rows` model rows pay for; one costs 2 (fields - 1)."""
    return max(budget_rows // (2 * (fields - 1)), _FEWEST_PAIRS)


def sampled_values(
    model: Model, comparison: Comparison, pairs: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Estimates and their standard errors, both of shape (fields,); two fields or more.

    In one order a field's contribution is what the answer changes by when it becomes known, starting from a row of the
    background. Each order is paired with its reverse, which cancels much of the noise (antithetic sampling: Mitchell,
    Cooper, Frank and Holmes 2022, JMLR 23(43)), and background rows take turns.
    """
    fields, rows = len(comparison.row), len(comparison.background)
    ranks = random.random((pairs, fields)).argsort(axis=1)
    turns = [random.permutation(rows) for _ in range(-(-pairs // rows))]
    drawn = np.concatenate(turns)[:pairs]
    at_once = max(ROWS_AT_ONCE // (2 * (fields - 1)), 1)
    chunks = [slice(start, start + at_once) for start in range(0, pairs, at_once)]
    contributions = np.concatenate([_contributions(model, comparison, ranks[c], drawn[c]) for c in chunks])
    return _with_known_mean(contributions, comparison, comparison.answers[drawn])


def _contributions(model: Model, comparison: Comparison, ranks: NDArray[np.intp], drawn: NDArray[np.intp]) -> Floats:
    """Mean contribution of each field over each order and its reverse, shape (pairs, fields)."""
    pairs, fields = ranks.shape
    both = np.stack([ranks, fields - 1 - ranks], axis=1)
    known = both[:, :, None, :] < np.arange(1, fields)[:, None]
    rows = np.where(known, comparison.row, comparison.background[drawn][:, None, None, :])
    path = np.empty((pairs, 2, fields + 1))
    path[:, :, 0] = comparison.answers[drawn][:, None]
    path[:, :, 1:-1] = model(rows.reshape(-1, fields)).reshape(pairs, 2, fields - 1)
    path[:, :, -1] = comparison.prediction
    averaged: Floats = np.take_along_axis(np.diff(path, axis=2), both, axis=2).mean(axis=1)
    return averaged


def _with_known_mean(contributions: Floats, comparison: Comparison, answers: Floats) -> tuple[Floats, Floats]:
    """Means over the pairs, corrected for which background rows were drawn, and their standard errors.

    A pair's contributions sum to prediction - answer of its background row, and the mean of all those answers is
    known: the baseline. Used as a control variate (regression on the answers), it makes the corrected means sum to
    prediction - baseline exactly, because the slopes sum to -1. The errors leave out that background rows take turns,
    so they are rather too large than too small.
    """
    pairs, fields = contributions.shape
    means = contributions.mean(axis=0)
    away, centred = answers - answers.mean(), contributions - means
    largest = max(float(np.abs(comparison.answers).max()), abs(comparison.prediction))
    # Answers that differ by rounding only have no slope: any that sum to -1 will do.
    spread = float(np.abs(away).max()) > 1e-9 * largest
    slopes = away @ centred / (away @ away) if spread else np.full(fields, -1 / fields)
    remaining = centred - away[:, None] * slopes
    errors = np.sqrt((remaining**2).sum(axis=0) / (pairs - 2) / pairs)
    return means - slopes * (answers.mean() - comparison.baseline), errors
