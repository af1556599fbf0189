"""Rows of an Arrow batch that hold what cannot be meant: found by columns, taken out, kept as dead letters."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collectors.rows import BadRow, check_bad_rows
from collectors.rows.scalars import MOST_STATUS, forbidden
from core.access import FORBIDDEN, Namespaces
from core.config import Limits

Mask = NDArray[np.bool_]  # of rows


class Fault(NamedTuple):
    """What is wrong with the rows of `rows`."""

    field: str
    code: str
    reason: str
    rows: Mask


_TIME = "expected an RFC 3339 time such as 2026-11-22T13:48:48Z"
_STATUS = f"expected a whole number from 0 to {MOST_STATUS}"
_NAMES = ("id", "model", "version", "namespace", "trace_id")


def faults(said: Mapping[str, pa.Array], no_time: Mask) -> list[Fault]:
    """`said` are the scalar columns in the types of the table `predictions`."""
    weight, latency, status = (said[name].to_numpy() for name in ("weight", "latency", "status"))
    whole = (status >= 0) & (status <= MOST_STATUS) & (status == np.floor(status))
    no_model = pc.equal(said["model"], "").to_numpy(zero_copy_only=False)
    return [
        Fault("model", "no_model", "say which model the prediction is of", no_model),
        Fault("status", "bad_value", _STATUS, ~whole),
        Fault("weight", "bad_value", "expected a number above 0", ~((weight > 0) & np.isfinite(weight))),
        Fault("latency", "bad_value", "expected seconds, 0 or more", (latency < 0) | np.isinf(latency)),
        Fault("time", "bad_time", _TIME, no_time),
    ]


def too_long(columns: Mapping[str, pa.Array], limits: Limits) -> list[Fault]:
    """Names, ids and tags, columns of text, that are longer than the limits allow."""
    found = []
    for name, column in columns.items():
        key = "name_length" if name in _NAMES else "tag_length" if name.startswith(("tags.", "labels.")) else ""
        if key:
            most = getattr(limits, key)
            over = pc.greater(pc.utf8_length(column), most).fill_null(False).to_numpy(zero_copy_only=False)
            found.append(Fault(name, "too_long", f"at most {most} characters are taken (limits.{key})", over))
    return found


def not_allowed(namespaces: pa.Array, allowed: Namespaces) -> Fault:
    return Fault("namespace", FORBIDDEN, "the token may not use '{}'", forbidden(namespaces, allowed))


def bad_rows(
    batch: pa.RecordBatch, scalars: Mapping[str, pa.Array], found: list[Fault], limits: Limits
) -> tuple[Mask, list[BadRow]]:
    """Which rows have a fault, and those. Rejected when they are too many."""
    worst = np.logical_or.reduce([fault.rows for fault in found])
    numbers = np.flatnonzero(worst).tolist()
    if not numbers:
        return worst, []
    whys = [next(fault for fault in found if fault.rows[row]) for row in numbers[: limits.bad_rows_per_request]]
    first = BadRow(numbers[0], whys[0].field, whys[0].reason, whys[0].code, b"")
    check_bad_rows(len(numbers), first, limits)
    return worst, [_bad_row(batch, scalars, n, why) for n, why in zip(numbers, whys, strict=True)]


def _bad_row(batch: pa.RecordBatch, scalars: Mapping[str, pa.Array], row: int, why: Fault) -> BadRow:
    of = [scalars[name][row].as_py() for name in ("namespace", "model", "version")]
    reason = why.reason.format(scalars[why.field][row]) if why.code == FORBIDDEN else why.reason
    return BadRow(row, why.field, reason, why.code, _shown(batch.slice(row, 1)), *of)


def _shown(row: pa.RecordBatch) -> bytes:
    """As JSON; as an Arrow stream where Python has no value for it, such as a time beyond the calendar."""
    try:
        return _as_json(row.to_pylist()[0])
    except (OverflowError, TypeError, ValueError):  # ArrowException and JSONEncodeError are among them
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_stream(buffer, row.schema) as writer:
            writer.write_batch(row)
        content: bytes = buffer.getvalue().to_pybytes()
        return content


def _as_json(row: Mapping[str, Any]) -> bytes:
    """The row as it would be sent as JSON: readable, and fit to be sent again."""
    record: dict[str, Any] = {}
    for name, value in row.items():
        head, dot, field = name.partition(".")
        if value is not None:
            (record.setdefault(head, {}) if dot else record)[field or name] = value
    return orjson.dumps(record, default=str)
