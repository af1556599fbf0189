"""Rows by their day: the store keeps each day (UTC) in a partition of its own, and one insert is of one partition."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

DAY_MICROS = 86_400_000_000


def days(batch: pa.RecordBatch, column: str = "time") -> NDArray[np.int64]:
    """The day of each row, counted from 1970-01-01, shape (rows,); `column` holds times in microseconds."""
    found: NDArray[np.int64] = batch.column(column).cast(pa.int64()).to_numpy() // DAY_MICROS
    return found


def by_day(batch: pa.RecordBatch, column: str = "time") -> Iterator[pa.RecordBatch]:
    """The rows of each day, the earliest first; rows of one day keep their order."""
    found = days(batch, column)
    if len(found) and (found == found[0]).all():
        yield batch
        return
    order = np.argsort(found, kind="stable")
    batch, found = batch.take(pa.array(order)), found[order]
    edges = [0, *(np.flatnonzero(np.diff(found)) + 1), len(found)] if len(found) else []
    for start, end in pairwise(edges):
        yield batch.slice(start, end - start)
