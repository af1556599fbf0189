"""CSV: read twice, since what a column holds shows only at its end."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tidemark.importing.columns import Columns, check_names, rows_per_part
from tidemark.importing.ragged import Ragged
from tidemark.importing.source import Asked, Part, unreadable

BLOCK_BYTES = 8 << 20
# What stands for a number that is missing; an empty cell is missing in every column.
MISSING = ("NaN", "nan", "NA", "N/A", "NULL", "null", "None")
# What a column may be, the narrowest first; else it is text.
KINDS = (pa.int64(), pa.uint64(), pa.float64(), pa.bool_())
_LONG_INTEGER = r"^\s*[+-]?[0-9]{19,}\s*$"
_TEXTS = {"id", "model", "version", "namespace", "trace_id", "error"}


class CsvFile:
    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._names = self._header()
        check_names(asked, self._names)
        self._kinds, self.total = self._look_through()

    def share(self, rows: int) -> float:
        return rows / max(1, self.total)

    def parts(self, after: int) -> Iterator[Part]:
        """A line with too few or too many cells is a part of its own, which the collector makes a dead letter."""
        size, passed, ragged = rows_per_part(self._asked, len(self._names)), 0, list[Ragged]()
        for batch in self._batches(ragged):
            for rows in _between(batch, ragged, passed, size):
                if isinstance(rows, Ragged):
                    passed += 1
                    if passed > after:
                        yield rows
                    continue
                left = rows.slice(max(0, after - passed))
                passed += len(rows)
                if len(left):
                    yield Columns(self._asked, passed - len(left) + 1, self._typed(left))
        yield from (line for line in ragged if line.first > after)

    def _header(self) -> list[str]:
        """The names of the columns; none in a file without a line."""
        if _is_blank(self._asked.file):
            return []
        try:
            with _reader(self._asked, {}, lambda row: "skip") as reader:
                names: list[str] = reader.schema.names
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self._asked, error) from None
        return names

    def _look_through(self) -> tuple[Mapping[str, pa.DataType], int]:
        """The type of each column of which every cell can be read, and the number of rows."""
        possible = {name: list(KINDS) for name in self._names if name not in _TEXTS and not name.startswith("tags.")}
        rows, ragged = 0, list[Ragged]()
        for batch in self._batches(ragged):
            rows += len(batch)
            for name, kinds in possible.items():
                while kinds and _read(batch.column(name), kinds[0]) is None:
                    kinds.pop(0)
        return {name: kinds[0] for name, kinds in possible.items() if kinds}, rows + len(ragged)

    def _typed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = {
            name: _read(batch.column(name), self._kinds[name]) if name in self._kinds else batch.column(name)
            for name in self._names
        }
        return pa.RecordBatch.from_pydict(columns)

    def _batches(self, ragged: list[Ragged]) -> Iterator[pa.RecordBatch]:
        """Every column as text; what cannot be one goes to `ragged`."""

        def keep(row: Any) -> str:
            ragged.append(Ragged(row.number - 1, row.text, row.actual_columns, row.expected_columns))
            return "skip"

        if not self._names:
            return
        try:
            with _reader(self._asked, dict.fromkeys(self._names, pa.string()), keep) as reader:
                yield from reader
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self._asked, error) from None


def _between(batch: pa.RecordBatch, ragged: list[Ragged], passed: int, size: int) -> Iterator[pa.RecordBatch | Ragged]:
    """The rows of a batch in the file's order, at most `size` at once, and the lines that lie before and among them."""
    start = 0
    while start < len(batch) or (ragged and ragged[0].first == passed + 1):
        until = ragged[0].first - passed - 1 if ragged else len(batch)
        if not until:
            yield ragged.pop(0)
            passed += 1
            continue
        rows = batch.slice(start, min(size, until))
        yield rows
        start, passed = start + len(rows), passed + len(rows)


def _reader(asked: Asked, types: Mapping[str, pa.DataType], ragged: Callable[[Any], str]) -> Any:
    return pyarrow.csv.open_csv(
        _whole_lines(asked.file),
        pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
        pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=ragged),
        pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""]),
    )


def _whole_lines(file: Path) -> Path | pa.BufferReader:
    """Arrow takes a header alone for an empty file, unless its line ends."""
    if file.stat().st_size > BLOCK_BYTES:
        return file
    content = file.read_bytes()
    return file if content.endswith(b"\n") else pa.BufferReader(content + b"\n")


def _is_blank(file: Path) -> bool:
    with file.open("rb") as opened:
        return all(line.removeprefix(BOM_UTF8).isspace() or line == BOM_UTF8 for line in opened)


def _read(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """None when a cell is nothing of that kind, or would lose digits: integers beyond 64 bits are text."""
    known = pc.if_else(pc.is_in(column, pa.array(MISSING)), pa.scalar(None, pa.string()), column)
    try:
        values = known.cast(kind)
    except pa.ArrowException:
        return None
    if pa.types.is_floating(kind) and pc.any(pc.greater_equal(pc.abs(values), 2.0**63)).as_py():
        return None if pc.any(pc.match_substring_regex(known, _LONG_INTEGER)).as_py() else values
    return values
