"""What was accepted as frames of the log, and back: halves with their bodies, exchanges of the proxy tap, and rows.

A frame is one byte for its kind, then for halves the length of a JSON header, the header and the bodies, one after the
other; for rows an Arrow IPC stream. Payloads are not written: they are decoded again from the bodies.
"""

import json
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from collectors.exchanges import Exchange
from core.records import FieldInfo, Half, ModelKey, Payload, RequestKey

FRAME_BYTES = 32 << 20  # of rows: larger batches are several frames, so that every one fits a segment
_HALVES, _EXCHANGE, _ROWS = b"h", b"e", b"r"
_LENGTH = struct.Struct("<I")
_FIELDS = b"fields"


class Rows(NamedTuple):
    batch: pa.RecordBatch
    fields: list[FieldInfo]


def halves_frame(halves: Sequence[Half]) -> bytes:
    return _of_halves(_HALVES, halves)


def exchange_frame(exchange: Exchange) -> bytes:
    return _of_halves(_EXCHANGE, [half for half in exchange if half is not None])


def rows_frames(batch: pa.RecordBatch, fields: Sequence[FieldInfo]) -> list[bytes]:
    """The rows of a batch of the schema PREDICTIONS, with the fields in each frame; no frame for no rows."""
    schema = batch.schema.with_metadata({_FIELDS: _dumps([*map(list, fields)])})
    named = pa.RecordBatch.from_arrays(batch.columns, schema=schema)
    step = max(1, len(batch) * FRAME_BYTES // max(1, batch.nbytes))
    return [_of_rows(named.slice(start, step)) for start in range(0, len(batch), step)]


def read_frame(frame: bytes, decode: Callable[[Half], Half]) -> list[Half] | Exchange | Rows:
    """`decode` fills the payload of a half. A frame that cannot be read raises Rejected or an error of its parser."""
    kind, content = frame[:1], memoryview(frame)[1:]
    if kind == _ROWS:
        return _rows(content)
    if kind not in (_HALVES, _EXCHANGE):
        raise ValueError(f"no frame of this version: {kind!r}")
    halves = list(_halves(content, decode))
    if kind == _HALVES:
        return halves
    request, response = halves
    return Exchange(request, response)


def _of_halves(kind: bytes, halves: Sequence[Half]) -> bytes:
    header = _dumps([_said(half) for half in halves])
    return b"".join([kind, _LENGTH.pack(len(header)), header, *[half.body for half in halves]])


def _said(half: Half) -> list[Any]:
    """Everything but the payload and the body: of those, what the payload alone knows and how long the body is."""
    payload, body = half.payload, half.body
    return [*half.key, bool(payload.tensors), payload.version, len(body), half.kind, *half[3:12]]


def _halves(content: memoryview, decode: Callable[[Half], Half]) -> Iterator[Half]:
    (length,) = _LENGTH.unpack_from(content)
    at = _LENGTH.size + length
    for said in _loads(bytes(content[_LENGTH.size : at])):
        namespace, model, request_id, decoded, version, size, kind, *rest = said
        half = _half(RequestKey(namespace, model, request_id), kind, rest, bytes(content[at : at + size]))
        payload = decode(half).payload if decoded else half.payload
        yield half._replace(payload=payload._replace(version=version))
        at += size


def _half(key: RequestKey, kind: Any, rest: list[Any], body: bytes) -> Half:
    time, received, source, status, error, latency, trace_id, tags, headers = rest
    return Half(
        key,
        kind,
        Payload(()),
        time,
        received,
        source,
        status,
        error,
        math.nan if latency is None else latency,
        trace_id,
        tuple(map(tuple, tags)),
        tuple(map(tuple, headers)),
        body,
    )


def _of_rows(batch: pa.RecordBatch) -> bytes:
    buffer = pa.BufferOutputStream()
    buffer.write(_ROWS)
    with pa.ipc.new_stream(buffer, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = buffer.getvalue().to_pybytes()
    return content


def _rows(content: memoryview) -> Rows:
    with pa.ipc.open_stream(bytes(content)) as reader:  # copied: behind the kind it lies at an odd address
        batch = reader.read_next_batch()
    fields = [FieldInfo(ModelKey(*model), *rest) for model, *rest in _loads(batch.schema.metadata[_FIELDS])]
    return Rows(batch.replace_schema_metadata(None), fields)


def _dumps(value: Any) -> bytes:
    """NaN becomes null."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a sender's own words may hold lone surrogates, which only Python writes and reads
        return json.dumps(value).encode()


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
