"""Reference data sets in Parquet and CSV files, as rows of the table `references`."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.config import DatasetConfig
from core.errors import ConfigError
from core.records import NAME

# Rows turned into maps at once.
CHUNK_ROWS = 100_000
# Beyond 2^53 a float64 no longer tells neighbouring integers apart.
LARGEST_EXACT = 2**53


class Columns(NamedTuple):
    """A file's fields by kind, and its `tags.` columns; every column of each table has the same number of rows."""

    num: pa.Table
    cat: pa.Table
    tags: pa.Table


def content_hash(dataset: DatasetConfig) -> str:
    """Of the file's bytes and of what the configuration makes of them. ConfigError when it cannot be read."""
    said = repr((dataset.id, sorted(dataset.fields.items())))
    digest = hashlib.blake2b(said.encode(), digest_size=16)
    try:
        with open(dataset.path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ConfigError(f"the data set {dataset.path} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def read(dataset: DatasetConfig) -> Columns:
    """Numbers and booleans are `num`, text is `cat`, nulls and NaN are missing.

    The prefixes `inputs.` and `outputs.` are taken off, but for an output named like an input. ConfigError for
    columns that are neither, names that come twice, and fewer than 2 rows.
    """
    table = _table(Path(dataset.path))
    if table.num_rows < 2:
        raise ConfigError(f"the data set {dataset.path} has {table.num_rows} rows; a reference needs at least 2")
    for column in (*([dataset.id] if dataset.id else []), *dataset.fields):
        if column not in table.column_names:
            raise ConfigError(f"{dataset.path} has no column '{column}'; it has {', '.join(table.column_names)}")
    table = table.drop_columns([dataset.id]) if dataset.id else table
    named = [dataset.fields.get(name, name) for name in table.column_names]
    fields = [_bare(name, named) for name in named]
    if twice := {name for name in fields if fields.count(name) > 1}:
        raise ConfigError(f"{dataset.path}: two columns are named '{min(twice)}'")
    return _by_kind(dataset.path, table.rename_columns(fields))


def rows(columns: Columns) -> Iterator[pa.Table]:
    """Chunks of rows with the columns num, cat and tags, as maps."""
    length = max(part.num_rows for part in columns)
    for start in range(0, length, CHUNK_ROWS):
        count = min(CHUNK_ROWS, length - start)
        num, cat, tags = (part.slice(start, count) for part in columns)
        yield pa.table(
            {
                "row": pa.array(np.arange(start, start + count, dtype=np.uint64)),
                "num": _maps([_floats(c) for c in num.columns], num.column_names, count, pa.float64()),
                "cat": _maps([_texts(c) for c in cat.columns], cat.column_names, count, pa.string()),
                "tags": _maps([_texts(c) for c in tags.columns], tags.column_names, count, pa.string()),
            }
        )


def _table(path: Path) -> pa.Table:
    import pyarrow.csv
    import pyarrow.parquet

    readers = {".csv": pyarrow.csv.read_csv, ".parquet": pyarrow.parquet.read_table, ".pq": pyarrow.parquet.read_table}
    if path.suffix.lower() not in readers:
        raise ConfigError(f"{path}: a data set is one of {', '.join(readers)}")
    try:
        table = readers[path.suffix.lower()](str(path))
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    return _without_empty_texts(table) if path.suffix.lower() == ".csv" else table


def _without_empty_texts(table: pa.Table) -> pa.Table:
    """CSV has no other way to say that a text is missing."""
    for at, column in enumerate(table.columns):
        if pa.types.is_string(column.type):
            missing = pa.scalar(None, column.type)
            table = table.set_column(at, table.column_names[at], pc.if_else(pc.equal(column, ""), missing, column))
    return table


def _bare(name: str, all_names: Sequence[str]) -> str:
    if name.startswith("outputs."):
        bare = name.removeprefix("outputs.")
        return name if bare in all_names or f"inputs.{bare}" in all_names else bare
    return name.removeprefix("inputs.")


def _by_kind(path: str, table: pa.Table) -> Columns:
    kinds: dict[str, list[str]] = {"num": [], "cat": [], "tags": []}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = "tags" if name.startswith("tags.") else _kind(column)
        if kind is None:
            raise ConfigError(f"{path}: column '{name}' holds {column.type}; fields are numbers, booleans or text")
        kinds[kind].append(name)
    tags = table.select(kinds["tags"])
    keys = [name.removeprefix("tags.") for name in kinds["tags"]]
    return Columns(table.select(kinds["num"]), table.select(kinds["cat"]), tags.rename_columns(keys))


def _kind(column: pa.ChunkedArray) -> str | None:
    held = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_integer(held):
        extremes = pc.min_max(column.cast(held)).as_py()
        return "cat" if max(abs(extremes["min"] or 0), abs(extremes["max"] or 0)) > LARGEST_EXACT else "num"
    if pa.types.is_floating(held) or pa.types.is_boolean(held) or pa.types.is_decimal(held) or pa.types.is_null(held):
        return "num"
    return "cat" if pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_temporal(held) else None


def _floats(column: pa.ChunkedArray) -> NDArray[Any]:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _texts(column: pa.ChunkedArray) -> NDArray[Any]:
    return column.cast(pa.string()).to_numpy()  # type: ignore[no-any-return]


def _maps(columns: list[NDArray[Any]], names: Sequence[str], rows: int, values: pa.DataType) -> pa.MapArray:
    """One map per row, of the values that are there."""
    cells = np.stack(columns, axis=1) if columns else np.empty((rows, 0), dtype=object)
    known = ~np.isnan(cells) if cells.dtype == np.float64 else cells != np.array(None)
    offsets = np.concatenate(([0], np.cumsum(known.sum(axis=1)))).astype(np.int32)
    at = np.broadcast_to(np.arange(len(names), dtype=np.int32), cells.shape)[known]
    keys = pa.DictionaryArray.from_arrays(pa.array(at, pa.int32()), pa.array(list(names), pa.string()))
    return pa.MapArray.from_arrays(
        pa.array(offsets), keys.cast(NAME), pa.array(cells[known], values), pa.map_(NAME, values)
    )
