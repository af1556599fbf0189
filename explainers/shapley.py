"""Shapley values of predictions."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from core.errors import StepFailed
from core.protocols import Predict

from ._coalitions import exact_rows, exact_values
from ._model import Comparison, Model
from ._permutations import number_of_pairs, sampled_values
from .protocols import Attribution, Question


@dataclass(frozen=True)
class Shapley:
    """Each field's share in prediction - baseline, averaged over all orders in which fields may become known.

    A set S of known fields is worth v(S) = mean over the background rows b of f(the row's fields in S, b's others):
    the interventional Shapley value (Strumbelj and Kononenko 2014, Knowledge and Information Systems 41, 647-665;
    Lundberg and Lee 2017, NeurIPS). Missing cells (NaN) go to the model as they are.

    budget_rows: model rows to spend on one explanation, 1 and up. All 2^fields sets over the whole background where it
        suffices, which is exact; else orders are sampled in antithetic pairs, at least 10 pairs however small it is
        (`_permutations.py`), which gives standard errors. Either way the values sum to prediction - baseline.
    batch_rows: most rows in one call of the model, 1 and up. seed: of the sampled orders and background rows.

    >>> def linear(rows, fields):
    ...     return {"y": rows @ [2.0, -1.0]}
    >>> question = Question(np.array([[3.0, 1.0]]), np.zeros((1, 2)), ("a", "b"), "y")
    >>> Shapley().explain(question, linear)[0].values
    array([ 6., -1.])
    """

    budget_rows: Annotated[int, Field(ge=1)] = 20_000
    batch_rows: Annotated[int, Field(ge=1)] = 1_000
    seed: Annotated[int, Field(ge=0)] = 0
    heavy: ClassVar[bool] = False

    def explain(self, question: Question, predict: Predict) -> tuple[Attribution, ...]:
        model = Model(predict, question.fields, question.output, self.batch_rows)
        if not len(question.background):
            raise StepFailed("there are no background rows to compare with")
        answers = model(question.background)
        return tuple(
            self._attribution(model, Comparison(row, float(prediction), question.background, answers))
            for row, prediction in zip(question.rows, model(question.rows), strict=True)
        )

    def _attribution(self, model: Model, comparison: Comparison) -> Attribution:
        fields, needed = len(comparison.row), exact_rows(comparison)
        if needed <= self.budget_rows:
            values, errors = exact_values(model, comparison), np.zeros(fields)
        else:
            pairs = number_of_pairs(fields, self.budget_rows)
            needed = pairs * 2 * (fields - 1)
            values, errors = sampled_values(model, comparison, pairs, np.random.default_rng(self.seed))
        return Attribution(values, errors, comparison.prediction, comparison.baseline, needed + 1)
