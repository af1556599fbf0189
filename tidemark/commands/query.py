"""`tidemark query SQL`: one read-only statement, as a table, JSON, CSV, or into a Parquet file."""

import sys
from argparse import Namespace
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
    for row in table.to_pylist(maps_as_pydicts="lossy"):
        print(orjson.dumps(plain(row), default=str).decode())


def _csv(table: pa.Table) -> None:
    """Cells that are maps or lists are JSON: CSV has no form of its own for them."""
    flat = {
        field.name: [orjson.dumps(v, default=str).decode() for v in column.to_pylist(maps_as_pydicts="lossy")]
        if pa.types.is_nested(field.type)
        else column
        for field, column in zip(table.schema, table.columns, strict=True)
    }
    sys.stdout.flush()
    pa.csv.write_csv(pa.table(flat), sys.stdout.buffer)


def _table(table: pa.Table) -> None:
    """Columns side by side, numbers to the right."""
    header = table.column_names
    rows = [[_cell(plain({"v": v})["v"]) for v in row.values()] for row in table.to_pylist(maps_as_pydicts="lossy")]
    widths = [max(len(line[j]) for line in [header, *rows]) for j in range(len(header))]
    right = [pa.types.is_integer(f.type) or pa.types.is_floating(f.type) for f in table.schema]
    for line in [header, ["-" * w for w in widths], *rows]:
        cells = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True))
        print("  ".join(cells).rstrip())
    print(f"({len(table)} rows)")


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    text = text.replace("\n", "\\n")
    return text if len(text) <= SHOWN_WIDTH else text[: SHOWN_WIDTH - 1] + "…"


_PRINTERS = {"table": _table, "json": _json, "csv": _csv}
