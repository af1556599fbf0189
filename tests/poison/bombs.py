"""Bodies that are small on the wire and not in memory, and Arrow streams that lie."""

import gzip
import struct
import zlib
from typing import Any

import numpy as np
import pyarrow as pa

_BLOCK_BYTES = 2**24


def zeros(size: int) -> bytes:
    """About `size` bytes of zeros as gzip, a thousandth of that, made without making them."""
    zipper = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = zipper.compress(bytes(_BLOCK_BYTES)) + zipper.flush(zlib.Z_FULL_FLUSH)
    count = size // _BLOCK_BYTES
    head, tail = gzip.compress(b"", mtime=0)[:10], zlib.compress(b"", wbits=-zlib.MAX_WBITS)
    return head + block * count + tail + struct.pack("<II", 0, size % 2**32)


def packed(codec: str, size: int) -> bytes:
    found: bytes = pa.compress(bytes(size), codec=codec, asbytes=True)
    return found


def stream(columns: dict[str, Any], compression: str | None = None) -> bytes:
    batch = pa.RecordBatch.from_pydict(columns)
    buffer = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(buffer, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    content: bytes = buffer.getvalue().to_pybytes()
    return content


def shared(rows: int, columns: int) -> bytes:
    """Columns without bytes of their own: what is a few kilobytes here is `rows` times `columns` cells."""
    return stream({f"inputs.f{n}": pa.nulls(rows) for n in range(columns)})


def one_wide_list(rows: int, size: int) -> bytes:
    """A list of `size` numbers in the first row, nothing in the others."""
    offsets = np.full(rows + 1, size, np.int32)
    offsets[0] = 0
    valid = pa.array(np.arange(rows) == 0)
    values = pa.array(np.zeros(size, np.float32))
    return stream({"outputs.v": pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.compute.invert(valid))})


def lying(body: bytes, old: int, new: int) -> bytes:
    """`body` with one 64-bit length in it exchanged for another, wherever it stands."""
    return body.replace(struct.pack("<q", old), struct.pack("<q", new))


def text(content: bytes) -> pa.Array:
    """One cell that says it is text."""
    ends = pa.py_buffer(struct.pack("<2i", 0, len(content)))
    return pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(content)])
