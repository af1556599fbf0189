"""ClickHouse inside this process (chDB), over its raw handles."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from core.errors import StoreUnavailable
from storage.engine import Limits, Params, read_only_settings
from storage.engines.columns import INSERT_FORMAT, RESULT_FORMAT, from_result, to_insert, to_rows, with_datetimes
from storage.engines.handles import Handles
from storage.engines.parameters import texts
from storage.engines.statement import insert_into, one_statement


class EmbeddedEngine:
    """The Engine over a folder that this process owns. Never fork a process that has one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.handles = Handles(folder)

    @property
    def url(self) -> str:
        return f"chdb://{self.folder}"

    def arrow(self, sql: str, params: Params | None = None, limits: Limits | None = None) -> pa.Table:
        statement = one_statement(sql)
        table = self._select(statement, params, limits)
        return with_datetimes(table, lambda: self._select(f"DESCRIBE (\n{statement}\n)", params, None))

    def rows(self, sql: str, params: Params | None = None) -> list[dict[str, Any]]:
        return to_rows(self.arrow(sql, params))

    def command(self, sql: str, params: Params | None = None) -> None:
        with self.handles.borrow() as handle:
            handle.query(one_statement(sql), "Null", params=texts(params))

    def insert(self, table: str, data: pa.Table | pa.RecordBatch, token: str = "") -> None:
        insert = insert_into(table, data.schema.names, token or str(uuid4()), INSERT_FORMAT)
        written = self.handles.insert(insert, to_insert(data)).rows_written()
        if written < data.num_rows:
            raise StoreUnavailable(f"{table}: {written} of {data.num_rows} rows were written")

    def close(self) -> None:
        self.handles.close()

    def _select(self, sql: str, params: Params | None, limits: Limits | None) -> pa.Table:
        with self.handles.borrow(**(read_only_settings(limits) if limits else {})) as handle:
            return from_result(handle.query(sql, RESULT_FORMAT, params=texts(params)).bytes())
