"""An Arrow IPC stream to a table, after a look at what it would unfold to.

A few hundred bytes can announce a batch of 2^60 nulls, or unpack to gigabytes: what the messages say of themselves
(https://github.com/apache/arrow/blob/main/format/Message.fbs) is checked before anything of that is made.
"""

import struct
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from collectors.formats.rows import check_cells
from collectors.rows import too_many
from collectors.rows.types import check_types
from core.config import Limits
from core.errors import Rejected

# Fields of the flatbuffers tables Message, DictionaryBatch and RecordBatch, by their position.
_HEADER_TYPE, _HEADER = 1, 2
_DICTIONARY_DATA = 1
_LENGTH, _NODES, _BUFFERS, _COMPRESSION = 0, 1, 2, 3
_DICTIONARY, _RECORDS = 2, 3  # values of the header type


def read_stream(body: bytes, limits: Limits) -> pa.RecordBatch:
    """All rows as one batch of plain columns: no dictionaries, no extension types.

    Rejected: 400 when it cannot be read, 413 when it would be too large.
    """
    try:
        _check(body, limits)
        with pa.ipc.open_stream(body) as reader:
            check_types(reader.schema)
            table = reader.read_all()
        table.validate(full=True)
        _check_size(table, limits)
        table = table.unify_dictionaries().combine_chunks()
        return pa.RecordBatch.from_arrays(_all_plain(table, limits), table.column_names)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, struct.error) as error:
        raise Rejected(400, "bad_arrow", f"not an Arrow IPC stream: {str(error)[:200]}") from None


def _check_size(table: pa.Table, limits: Limits) -> None:
    """Columns may share their bytes, and a null or a boolean takes next to none: what they become is counted."""
    if table.nbytes > limits.body_bytes:
        raise _unpacks_too_far(limits)
    check_cells(table.num_rows * table.num_columns, limits)


def _check(body: bytes, limits: Limits) -> None:
    rows = unpacked = 0
    for message in pa.ipc.MessageReader.open_stream(body):
        batch = _batch(message.metadata.to_pybytes())
        if batch is None:
            continue
        if message.type == "record batch":
            rows += batch.length
        most = max(limits.rows_per_request, limits.body_bytes)
        if rows > limits.rows_per_request or any(not 0 <= length <= most for length in batch.nodes):
            raise too_many(limits)
        unpacked += _unpacked_bytes(batch, message.body)
        if unpacked > limits.body_bytes:
            raise _unpacks_too_far(limits)


def _all_plain(table: pa.Table, limits: Limits) -> list[pa.Array]:
    columns, left = [], limits.body_bytes
    for chunked in table.columns:
        column = chunked.combine_chunks()
        column = column.storage if isinstance(column, pa.ExtensionArray) else column
        left -= _growth(column)
        if left < 0:
            raise _unpacks_too_far(limits)
        columns.append(_plain(column))
    return columns


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _growth(column: pa.Array) -> int:
    """Bytes that a column takes beyond its own once it is plain: one text may be named by every row."""
    if pa.types.is_string_view(column.type):
        return pc.sum(pc.binary_length(column)).as_py() or 0
    if not pa.types.is_dictionary(column.type):
        return 0
    # A row costs one byte in the body, and a whole dictionary entry here.
    entries = column.dictionary
    textual = pa.types.is_string(entries.type) or pa.types.is_large_string(entries.type)
    longest = pc.max(pc.binary_length(entries)).as_py() if textual and len(entries) else entries.nbytes
    return (longest or 0) * len(column)


def _unpacks_too_far(limits: Limits) -> Rejected:
    return Rejected(413, "too_large", f"unpacks to over {limits.body_bytes} bytes (limits.body_bytes)")


class _Batch(NamedTuple):
    """What a batch says of itself: rows, elements of each column, (offset, length) of each buffer in the body."""

    length: int
    nodes: list[int]
    buffers: list[tuple[int, int]]
    compressed: bool


def _batch(metadata: bytes) -> _Batch | None:
    """The batch in a message; None for a schema."""
    message = _Table(metadata, struct.unpack_from("<I", metadata)[0])
    kind = message.number(_HEADER_TYPE, "<B")
    if kind not in (_DICTIONARY, _RECORDS):
        return None
    header = message.table(_HEADER)
    if kind == _DICTIONARY:
        header = header.table(_DICTIONARY_DATA)
    return _Batch(
        header.number(_LENGTH, "<q"),
        [length for length, _ in header.pairs(_NODES)],
        header.pairs(_BUFFERS),
        header.has(_COMPRESSION),
    )


def _unpacked_bytes(batch: _Batch, body: pa.Buffer) -> int:
    """Each compressed buffer begins with its size; -1 means that this one is not compressed."""
    if not batch.compressed:
        return 0
    data = memoryview(body) if body is not None else memoryview(b"")
    sizes = [struct.unpack_from("<q", data, offset)[0] for offset, length in batch.buffers if length >= 8]
    return sum(max(size, 0) for size in sizes)


class _Table:
    """A flatbuffers table at a position of its buffer (https://flatbuffers.dev/internals)."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - struct.unpack_from("<i", data, at)[0]

    def has(self, field: int) -> bool:
        return bool(self._offset(field))

    def number(self, field: int, kind: str) -> int:
        offset = self._offset(field)
        return int(struct.unpack_from(kind, self._data, self._at + offset)[0]) if offset else 0

    def table(self, field: int) -> "_Table":
        return _Table(self._data, self._target(field))

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """A vector of structs of two 64-bit integers."""
        if not self.has(field):
            return []
        start = self._target(field)
        count = struct.unpack_from("<I", self._data, start)[0]
        numbers = struct.unpack_from(f"<{2 * count}q", self._data, start + 4)
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def _target(self, field: int) -> int:
        at = self._at + self._offset(field)
        return int(at + struct.unpack_from("<I", self._data, at)[0])

    def _offset(self, field: int) -> int:
        slot = 4 + 2 * field
        if slot >= struct.unpack_from("<H", self._data, self._fields)[0]:
            return 0
        return int(struct.unpack_from("<H", self._data, self._fields + slot)[0])
