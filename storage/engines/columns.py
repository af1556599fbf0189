"""Arrow to and from the bytes that ClickHouse takes and gives."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from core.errors import StoreUnavailable
from storage.engines.faults import code_of, store_error

# The file format ends with a footer: a result cut short cannot pass for a whole one, as it can in the stream format.
RESULT_FORMAT = "Arrow"
INSERT_FORMAT = "ArrowStream"

STRINGS = pa.map_(pa.string(), pa.string())


def text_array(values: Sequence[str]) -> pa.Array:
    """Texts as `utf8` makes them."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([utf8(value) for value in values], pa.string())


def from_result(body: bytes) -> pa.Table:
    """The table in a result of RESULT_FORMAT. StoreError when it holds an error's text or ends too early."""
    try:
        return pa.ipc.open_file(body).read_all()
    except (pa.ArrowException, OSError) as e:
        tail = body[-4096:].decode("utf-8", "replace")
        if code_of(tail):
            raise store_error(tail[tail.index("Code: ") :]) from None
        raise StoreUnavailable(f"the result is no whole Arrow file ({len(body)} bytes): {e}") from None


def to_insert(data: pa.Table | pa.RecordBatch, compression: str | None = None) -> bytes:
    """Rows as INSERT_FORMAT, in one block: one insert is one part and one token per partition."""
    table = pa.Table.from_batches([data]) if isinstance(data, pa.RecordBatch) else data.combine_chunks()
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression, unify_dictionaries=True)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def with_datetimes(table: pa.Table, describe: Callable[[], pa.Table]) -> pa.Table:
    """ClickHouse writes DateTime to Arrow as plain UInt32; `describe()` gives (name, type) to tell the two apart."""
    if pa.uint32() not in table.schema.types:
        return table
    for at, kind in enumerate(describe().column("type").to_pylist()):
        if kind.removeprefix("LowCardinality(").removeprefix("Nullable(").partition("(")[0].rstrip(")") == "DateTime":
            seconds = table.column(at).cast(pa.int64()).cast(pa.timestamp("s", tz="UTC"))
            table = table.set_column(at, table.column_names[at], seconds)
    return table


def utf8(text: str) -> str:
    """Text that can be UTF-8: a bad payload's own words may hold lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Row by row, maps as dicts."""
    return table.to_pylist(maps_as_pydicts="lossy")  # type: ignore[no-any-return]
