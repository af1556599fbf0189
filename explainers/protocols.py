"""What an explainer is. Members are frozen dataclasses whose fields are their options; they inherit nothing."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from core.distribution import Floats
from core.protocols import Predict


@dataclass(frozen=True)
class Question:
    """Why does the model answer `rows` as it does, compared with `background`?

    `rows`: shape (rows, fields), `background`: shape (background rows, fields), NaN = missing, at least one row of
    each. `fields`: names of the columns. `output`: which of the model's outputs.
    """

    rows: Floats
    background: Floats
    fields: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Attribution:
    """One row's answer. `values` and their standard `errors` have shape (fields,); the errors are 0 where exact.

    `prediction - baseline` is what the values share out, `baseline` being the mean prediction over the background.
    `model_calls`: rows the model was asked for; those of the baseline, asked once for all rows, are not counted.
    """

    values: Floats
    errors: Floats
    prediction: float
    baseline: float
    model_calls: int


@runtime_checkable
class Explainer(Protocol):
    """Attributes predictions to fields. `heavy` ones import slowly and run in a worker process."""

    heavy: ClassVar[bool]

    def explain(self, question: Question, predict: Predict) -> tuple[Attribution, ...]:
        """One attribution for each row. StepFailed says what the model did wrong."""
