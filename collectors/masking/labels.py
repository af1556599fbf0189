"""Labels of the schema LABELS as they may be written: a label's name is the name that rules for fields go by."""

import numpy as np
import pyarrow as pa

from collectors.building.fields import number_text
from collectors.labels.ids import without
from collectors.masking.action import Unmaskable
from collectors.masking.rules import Chain, Rules, category
from core.records import ModelKey

DROPPED = "a masking rule drops it, and a label has nothing else to keep"

Said = tuple[str | None, float | None]  # a label's text and number


def masked_labels(batch: pa.RecordBatch, rules: Rules) -> tuple[pa.RecordBatch, dict[int, str]]:
    """The labels that may be written, as they may; and why the others may not, by their row.

    One that does not say which model it is of is masked by the rules of all.
    """
    said: list[Said] = list(zip(batch.column("value").to_pylist(), batch.column("num").to_pylist(), strict=True))
    whose = zip(*(batch.column(name).to_pylist() for name in ("namespace", "model", "name")), strict=True)
    failed: dict[int, str] = {}
    for row, (namespace, model, name) in enumerate(whose):
        of_model = rules.of(ModelKey(namespace, model)) if model else rules.any_model
        if chain := of_model.column(name):
            try:
                said[row] = _masked(chain, *said[row])
            except Unmaskable as error:
                failed[row] = str(error)
            if said[row][0] is None:
                failed[row] = DROPPED
    columns = {name: batch.column(name) for name in batch.schema.names}
    masked = {**columns, "value": [text for text, _ in said], "num": [number for _, number in said]}
    return without(pa.RecordBatch.from_pydict(masked, schema=batch.schema), failed), failed


def _masked(chain: Chain, text: str | None, number: float | None) -> Said:
    if number is None or not chain.numeric:
        return chain.texts([text if number is None else category(number)])[0], None
    value = float(chain.elements(np.array([number]))[0])
    return (None, None) if np.isnan(value) else (number_text(value), value)
