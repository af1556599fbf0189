"""What the clinic sends: rows of the held-out population, and after the shift mostly the largest tumours."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from examples.breast_cancer.model import DIAGNOSIS, PROBABILITY, Floats, Model, population

# A row's weight after the shift is (its rank by mean area) ** SHIFT. Nearly nine rows of ten then come from the largest
# tenth: KS of the area is 0.82, and the outliers of an isolation forest go from 1-5 % of the rows to about 30 %.
SHIFT = 20


class Traffic:
    """Draws rows, with replacement, from those the model never saw."""

    def __init__(self) -> None:
        known = population()
        self.features = known.features
        self._rows = known.held_out
        rank = self._rows[:, known.features.index("mean_area")].argsort().argsort() + 1
        weight = (rank / len(rank)) ** SHIFT
        self._shifted = weight / weight.sum()

    def rows(self, rng: np.random.Generator, shifted: bool, n: int) -> Floats:
        """`n` rows, shape (n, 30): any alike, or once `shifted` mostly the largest tumours."""
        drawn: Floats = self._rows[rng.choice(len(self._rows), n, p=self._shifted if shifted else None)]
        return drawn


def write_reference(path: Path) -> None:
    """The held-out rows with what the model says of them, as CSV: 114 rows, 32 columns.

    Traffic is drawn from these very rows, so before the shift window and reference differ by the luck of one draw
    alone. Against the training rows they would differ by the split as well, and the model is surer of rows it has
    seen: a fair test would find both, and the demo would have to call true findings false.
    """
    known = population()
    found = Model().predict(known.held_out)
    columns: dict[str, object] = dict(zip(known.features, known.held_out.T, strict=True))
    table = pa.table({**columns, PROBABILITY: found.probability, DIAGNOSIS: found.diagnosis})
    pyarrow.csv.write_csv(table, path)
