"""Rows as Arrow columns, the way `POST /api/predictions` takes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from collectors.rows.arrow import check_columns
from collectors.rows.types import is_text
from core.config import Limits
from core.errors import ConfigError, Rejected
from tidemark.importing.source import CELLS_PER_PART, Asked, Body, Part, no_model, no_time

ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class Columns:
    """A part: `batch` with its rows in the file's own columns."""

    asked: Asked
    first: int
    batch: pa.RecordBatch

    @property
    def rows(self) -> int:
        return int(self.batch.num_rows)

    def body(self) -> Body:
        batch = _with(_with(self.batch, "id", self._ids()), "time", self._times())
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return Body(sink.getvalue().to_pybytes(), ARROW, batch.column("id")[0].as_py())

    def halves(self) -> list[Part]:
        middle = self.rows // 2
        if not middle:
            return []
        return [
            Columns(self.asked, self.first, self.batch.slice(0, middle)),
            Columns(self.asked, self.first + middle, self.batch.slice(middle)),
        ]

    def _ids(self) -> pa.Array:
        ids = self.batch.column("id").cast(pa.string()) if "id" in self.batch.schema.names else None
        if ids is not None and not ids.null_count and not pc.any(pc.equal(ids, "")).as_py():
            return ids
        numbers = pa.array(range(self.first, self.first + self.rows)).cast(pa.string())
        made = pc.binary_join_element_wise(self.asked.digest, numbers, ":")
        return made if ids is None else pc.if_else(pc.equal(ids.fill_null(""), ""), made, ids)

    def _times(self) -> pa.Array:
        """A row without a time must be refused rather than stamped with the moment it is read: '' is no time."""
        if "time" not in self.batch.schema.names:
            return pa.repeat(pa.scalar(self.asked.time), self.rows)
        times = self.batch.column("time")
        if not times.null_count:
            return times
        if pa.types.is_integer(times.type) or pa.types.is_floating(times.type):  # seconds since 1970
            times = pc.multiply(times.cast(pa.float64()), 1e6).cast(pa.int64(), safe=False)
        if not is_text(times.type):
            times = times.cast(pa.timestamp("us"), safe=False).cast(pa.string())
        return times.fill_null(self.asked.time)


def check_names(asked: Asked, names: Sequence[str]) -> None:
    """ConfigError when a column is none of the Arrow form, or one is missing that no option stands for."""
    if not names:
        return  # and no rows: an empty file
    try:
        check_columns(list(names), Limits())
    except Rejected as error:
        raise ConfigError(f"{asked.file}: column '{error.field}': {error.detail}") from None
    if "model" not in names and not asked.model:
        raise no_model(asked)
    if "time" not in names and not asked.time:
        raise no_time(asked)


def rows_per_part(asked: Asked, columns: int) -> int:
    return max(1, min(asked.part_rows, CELLS_PER_PART // max(1, columns)))


def _with(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    at = batch.schema.get_field_index(name)
    field = pa.field(name, column.type)
    return batch.add_column(0, field, column) if at < 0 else batch.set_column(at, field, column)
