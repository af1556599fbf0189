"""Parquet, a row group after the other."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from tidemark.importing.columns import Columns, check_names, rows_per_part
from tidemark.importing.source import Asked, Part, unreadable


class ParquetFile:
    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        try:
            self._file = pq.ParquetFile(asked.file)
        except (pa.ArrowException, OSError) as error:
            raise unreadable(asked, error) from None
        self._names = self._file.schema_arrow.names
        check_names(asked, self._names)

    @property
    def total(self) -> int:
        return int(self._file.metadata.num_rows)

    def share(self, rows: int) -> float:
        return rows / max(1, self.total)

    def parts(self, after: int) -> Iterator[Part]:
        groups, passed = self._groups_after(after)
        try:
            for batch in self._file.iter_batches(rows_per_part(self._asked, len(self._names)), row_groups=groups):
                left = batch.slice(max(0, after - passed))
                passed += len(batch)
                if len(left):
                    yield Columns(self._asked, passed - len(left) + 1, left)
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self._asked, error) from None

    def _groups_after(self, after: int) -> tuple[list[int], int]:
        """The row groups that are not passed over whole, and how many rows are."""
        passed = 0
        for group in range(self._file.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            if passed + rows > after:
                return list(range(group, self._file.num_row_groups)), passed
            passed += rows
        return [], passed
