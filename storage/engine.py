"""What the rest of storage needs of an engine: SQL in, columns out."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

Params = Mapping[str, Any]

# What every statement runs with. Rows with the same key share their day, so FINAL need not look across partitions.
SESSION = {"session_timezone": "UTC", "do_not_merge_across_partitions_select_final": 1}


class Limits(NamedTuple):
    """What one query of a user may cost before it is stopped."""

    seconds: float = 60
    memory_bytes: int = 2 << 30
    rows: int = 1_000_000


class Engine(Protocol):
    """One ClickHouse, embedded or a server; safe to use from several threads.

    SQL takes server-side parameters, `{name:Type}`. Tables are named without a database: every engine is opened on
    the database `tidemark`. Errors are StoreError, or StoreUnavailable when the same call may work later.
    """

    @property
    def url(self) -> str:
        """The store's address without its password."""

    def arrow(self, sql: str, params: Params | None = None, limits: Limits | None = None) -> pa.Table:
        """The result of one SELECT, column by column. With `limits` it runs read-only, within them."""

    def rows(self, sql: str, params: Params | None = None) -> list[dict[str, Any]]:
        """The result of one small SELECT, row by row."""

    def command(self, sql: str, params: Params | None = None) -> None:
        """One statement without a result."""

    def insert(self, table: str, data: pa.Table | pa.RecordBatch, token: str = "") -> None:
        """Insert columns by name. A repeated `token` is stored once; without one the rows are always stored."""

    def close(self) -> None:
        """Let what is running end, then let go of the store. Close it once, last of all."""


def read_only_settings(limits: Limits) -> dict[str, float]:
    """readonly = 1 refuses every write, and every change of these settings in the statement itself."""
    return {
        "readonly": 1,
        "max_execution_time": limits.seconds,
        "max_memory_usage": limits.memory_bytes,
        "max_result_rows": limits.rows,
    }
