"""What a label says: its text and, for numbers and booleans, its number."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from collectors.building.fields import EXACT, number_text
from core.errors import Rejected
from core.records import LABELS, TIME


class Value(NamedTuple):
    text: str
    number: float | None


def label_value(value: Any, field: str = "value") -> Value:
    """Of a JSON value; an integer beyond 2^53 is text, as it is for fields. Rejected for what is no label."""
    if isinstance(value, bool):
        return Value("true" if value else "false", float(value))
    if isinstance(value, str):
        return Value(value, None)
    if isinstance(value, int) and abs(value) > EXACT:
        return Value(str(value), None)
    if isinstance(value, int | float) and not math.isnan(value):
        return Value(number_text(float(value)), float(value))
    what = "nothing" if value is None else "NaN" if value != value else type(value).__name__
    raise Rejected(400, "bad_value", f"a label is a number, text, true or false, not {what}", field)


def shown(text: str, number: float | None) -> Any:
    """The value as it was sent."""
    if number is None:
        return text
    return text == "true" if text in ("true", "false") else number


def label_batch(rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Rows of values in the order of the schema LABELS, times in microseconds."""
    columns = list(zip(*rows, strict=True)) or [()] * len(LABELS)
    return pa.RecordBatch.from_arrays(list(map(_column, LABELS, columns)), schema=LABELS)


def _column(field: pa.Field, values: Sequence[Any]) -> pa.Array:
    return pa.array(values, pa.int64()).cast(TIME) if field.type == TIME else pa.array(values, field.type)
