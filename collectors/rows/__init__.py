"""Tidemark's own rows, for senders that already have predictions: JSON, NDJSON, and Arrow IPC streams for bulk."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.access import EVERY_NAMESPACE, FORBIDDEN, Namespaces
from core.config import Limits
from core.errors import Rejected
from core.records import FieldInfo


class BadRow(NamedTuple):
    """One row that cannot be taken: its number from 0, the field at fault, why, the code counted, the row as JSON.

    `namespace`, `model` and `version` are what it is of, as far as it or its call says.
    """

    row: int
    field: str
    reason: str
    code: str
    body: bytes
    namespace: str = ""
    model: str = ""
    version: str = ""


class LabelsRead(NamedTuple):
    """Good labels as a batch of the schema LABELS, and the others.

    `numbers`: which label of the call each good one was, from 0.
    """

    batch: pa.RecordBatch
    rejected: list[BadRow]
    numbers: list[int]


class RowsRead(NamedTuple):
    """Good rows as a batch of the schema PREDICTIONS, and the others. `new`: no good row came with an id of its own.

    `numbers`: which row of the request each good one was, from 0. `labels` came with them.
    """

    batch: pa.RecordBatch
    rejected: list[BadRow]
    fields: list[FieldInfo]
    new: bool = False
    numbers: NDArray[np.int64] | None = None
    labels: LabelsRead | None = None


class Defaults(NamedTuple):
    """What a row without its own word gets. `received` is microseconds since 1970; `source` names the tap.

    Rows of namespaces that are not `allowed` to the sender are refused.
    """

    namespace: str
    model: str
    version: str
    source: str
    received: int
    trace_id: str = ""
    limits: Limits = Limits()
    allowed: Namespaces = EVERY_NAMESPACE


def too_many(limits: Limits) -> Rejected:
    detail = f"over {limits.rows_per_request} rows in one request (limits.rows_per_request)"
    return Rejected(413, "too_large", detail, "predictions")


def too_many_fields(limits: Limits) -> Rejected:
    detail = f"over {limits.fields_per_row} fields (limits.fields_per_row)"
    return Rejected(413, "too_large", detail, "predictions")


def check_models(count: int, limits: Limits) -> None:
    """Rejected when one request holds more models and versions than can be built in time, at a millisecond each."""
    if count > limits.models_per_request:
        detail = f"over {limits.models_per_request} models and versions in one request (limits.models_per_request)"
        raise Rejected(413, "too_large", detail, "model")


def check_bad_rows(count: int, first: BadRow, limits: Limits) -> None:
    """Rejected when so many rows are bad that the sender means something else: each would be a dead letter."""
    if count > limits.bad_rows_per_request:
        most = f"at most {limits.bad_rows_per_request} may be (limits.bad_rows_per_request)"
        detail = f"{count} rows or more are bad and {most}; the first, row {first.row}: {first.reason}"
        raise Rejected(400, "too_many_bad_rows", detail, first.field)


def check_allowed(rejected: Sequence[BadRow], good_rows: int) -> None:
    """Rejected(403) when no row is left and every one was refused for its namespace."""
    if rejected and not good_rows and all(row.code == FORBIDDEN for row in rejected):
        first = rejected[0]
        raise Rejected(403, first.code, first.reason, first.field)
