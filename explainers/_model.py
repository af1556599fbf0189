"""A model's answers in batches, checked, and what one explanation starts from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.distribution import Floats
from core.errors import StepFailed
from core.protocols import Predict

# Model rows prepared at once: 16 MB of them for 30 fields.
ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Model:
    """One numeric output of a model. `batch_rows`: most rows to ask for in one call."""

    predict: Predict
    fields: tuple[str, ...]
    output: str
    batch_rows: int

    def __call__(self, rows: Floats) -> Floats:
        """(rows, fields) to (rows,), every value finite. StepFailed otherwise."""
        starts = range(0, len(rows), self.batch_rows)
        return np.concatenate([np.zeros(0), *(self._ask(rows[i : i + self.batch_rows]) for i in starts)])

    def _ask(self, rows: Floats) -> Floats:
        try:
            outputs = self.predict(rows, self.fields)
            answer = np.asarray(outputs[self.output], dtype=np.float64) if self.output in outputs else None
        except StepFailed:
            raise
        except Exception as error:  # whatever a model raises is its own failure, not ours
            raise StepFailed(f"the model failed on {len(rows)} rows: {type(error).__name__}: {error}") from error
        if answer is None:
            raise StepFailed(f"the model has no numeric output '{self.output}'; it has: {', '.join(outputs) or 'none'}")
        if answer.shape != (len(rows),):
            raise StepFailed(f"output '{self.output}' has shape {answer.shape} for {len(rows)} rows")
        if bad := int(np.count_nonzero(~np.isfinite(answer))):
            raise StepFailed(f"output '{self.output}' is not a finite number for {bad} of {len(rows)} rows")
        return answer


class Comparison(NamedTuple):
    """A row, shape (fields,), and the background, shape (background rows, fields), with what the model says of them."""

    row: Floats
    prediction: float
    background: Floats
    answers: Floats

    @property
    def baseline(self) -> float:
        return float(self.answers.mean())
