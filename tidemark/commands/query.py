"""`tidemark query SQL`: one read-only statement, as a table, JSON, CSV, or into a Parquet file."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from core.errors import ConfigError
from storage import exists, open_engine, query
from storage.engine import Limits
from tidemark.api.view import plain

SHOWN_WIDTH = 60  # characters of one cell in the printed table


def run(arguments: Namespace) -> int:
    if not exists(arguments.store):
        raise ConfigError(f"there is no store {arguments.store}; `tidemark up` makes one")
    engine = open_engine(arguments.store)
    limits = Limits(arguments.seconds, int(arguments.memory_gb * 2**30), arguments.rows)
    try:
        table = query(engine, arguments.sql, limits)
    finally:
        engine.close()
    if arguments.out:
        _write(table, arguments.out)
    else:
        _PRINTERS[arguments.format](table)
    return 0


def _write(table: pa.Table, path: Any) -> None:
    if path.suffix != ".parquet":
        raise ConfigError(f"--out {path}: the name must end in .parquet")
    try:
        pa.parquet.write_table(table, path)
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror or error}") from None
    print(f"{len(table)} rows in {path}")


def _json(table: pa.Table) -> None:
    """One object a line."""
    for row in _rows(table):
        print(_dumped(row))


def _csv(table: pa.Table) -> None:
    """Cells that CSV has no form for, such as maps and lists, are JSON."""
    shown = _readable(table)
    flat = {
        field.name: column if _is_flat(field.type) else [_text(value) for value in _values(column)]
        for field, column in zip(shown.schema, shown.columns, strict=True)
    }
    sys.stdout.flush()
    pa.csv.write_csv(pa.table(flat), sys.stdout.buffer)


def _table(table: pa.Table) -> None:
    """Columns side by side, numbers to the right."""
    header = table.column_names
    rows = [[_cell(value) for value in row.values()] for row in _rows(table)]
    widths = [max(len(line[j]) for line in [header, *rows]) for j in range(len(header))]
    right = [pa.types.is_integer(f.type) or pa.types.is_floating(f.type) for f in table.schema]
    for line in [header, ["-" * w for w in widths], *rows]:
        cells = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True))
        print("  ".join(cells).rstrip())
    print(f"({len(table)} rows)")


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    shown = _readable(table)
    columns = [_values(column) for column in shown.columns]
    return (dict(zip(shown.column_names, row, strict=True)) for row in zip(*columns, strict=True))


def _values(column: pa.ChunkedArray) -> list[Any]:
    """As values that JSON can hold."""
    return [plain({"v": value})["v"] for value in column.to_pylist(maps_as_pydicts="lossy")]


def _readable(table: pa.Table) -> pa.Table:
    """With a sign in place of bytes that are no text: columns such as dead_letters.body hold whatever was sent."""
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            raw = table.column(at).cast(pa.binary()).to_pylist()
            texts = [value if value is None else value.decode("utf-8", "replace") for value in raw]
            table = table.set_column(at, field.name, pa.array(texts, pa.string()))
    return table


def _is_flat(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    return any(test(kind) for test in (*tests, pa.types.is_temporal, pa.types.is_decimal))


def _cell(value: Any) -> str:
    text = _text(value).replace("\n", "\\n")
    return text if len(text) <= SHOWN_WIDTH else text[: SHOWN_WIDTH - 1] + "…"


def _text(value: Any) -> str:
    """A text as it is, nothing for what is missing, JSON for everything else."""
    said = orjson.loads(_dumped(value))
    return "" if said is None else said if isinstance(said, str) else _dumped(said)


def _dumped(value: Any) -> str:
    return orjson.dumps(value, default=lambda other: other.hex() if isinstance(other, bytes) else str(other)).decode()


_PRINTERS = {"table": _table, "json": _json, "csv": _csv}
