"""What was accepted as frames of the log, and back: halves, exchanges of the proxy tap, rows, labels, and dead
letters.

A frame is one byte for its kind, then the length of a JSON header, the header and the bodies, one after the other; for
rows and labels an Arrow IPC stream. Payloads are not written: they are decoded again from the bodies.
"""

import json
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import orjson
import pyarrow as pa

from collectors.accepting.items import Called, Halves, Item, Labels, Letters, Rows
from collectors.building.exchanges import Exchange
from core.records import DeadLetter, FieldInfo, Half, ModelKey, Payload, RequestKey

FRAME_BYTES = 32 << 20  # of rows: larger batches are several frames, so that every one fits a segment
_HALVES, _CALLED, _ROWS, _LABELS, _LETTERS = b"h", b"e", b"r", b"t", b"l"
_LENGTH = struct.Struct("<I")
_FIELDS, _NEW, _EVENTS = b"fields", b"new", b"events"
_Columns = TypeVar("_Columns", Rows, Labels)
_SAID = [field.name for field in fields(DeadLetter) if field.name not in ("body", "headers")]


def frames_of(item: Item) -> list[tuple[Item, bytes]]:
    """The item with its frame; of many rows several of both."""
    if isinstance(item, Rows):
        return [(part, _of_rows(part)) for part in _parts(item)]
    if isinstance(item, Labels):
        return [(part, _of_rows(part)) for part in _parts(item)]
    return [(item, _frame(item))]


def read_frame(frame: bytes, decode: Callable[[Half], Half]) -> Item:
    """`decode` fills the payload of a half. A frame that cannot be read raises Rejected or an error of its parser."""
    kind, content = frame[:1], memoryview(frame)[1:]
    if kind in (_ROWS, _LABELS):
        item: Item = _rows(kind, content)
    elif kind == _LETTERS:
        item = _letters(content)
    elif kind in (_HALVES, _CALLED):
        halves = list(_halves(content, decode))
        item = Halves(halves) if kind == _HALVES else Called(Exchange(*halves))
    else:
        raise ValueError(f"no frame of this version: {kind!r}")
    if not len(item[0]):
        raise ValueError("nothing is in the frame")
    return item


def holds_halves(frame: bytes) -> bool:
    """Told from the first byte, without reading the rest."""
    return frame[:1] == _HALVES


def _frame(item: Halves | Called | Letters) -> bytes:
    if isinstance(item, Letters):
        said = [[[getattr(x, name) for name in _SAID], x.headers, len(x.body)] for x in item.letters]
        return _joined(_LETTERS, [item.events, said], [x.body for x in item.letters])
    kind = _HALVES if isinstance(item, Halves) else _CALLED
    halves = item.halves if isinstance(item, Halves) else [half for half in item.exchange if half is not None]
    return _joined(kind, [_said(half) for half in halves], [half.body for half in halves])


def _joined(kind: bytes, header: list[Any], bodies: Sequence[bytes]) -> bytes:
    said = _dumps(header)
    return b"".join([kind, _LENGTH.pack(len(said)), said, *bodies])


def _parts(item: _Columns) -> Iterator[_Columns]:
    """At most FRAME_BYTES each; the event is counted with the first."""
    step = max(1, len(item.batch) * FRAME_BYTES // max(1, item.batch.nbytes))
    for start in range(0, len(item.batch), step):
        yield item._replace(batch=item.batch.slice(start, step), events=0 if start else item.events)


def _said(half: Half) -> list[Any]:
    """Everything but the payload and the body: of those, what the payload alone knows and how long the body is."""
    payload, body = half.payload, half.body
    return [*half.key, bool(payload.tensors), payload.version, len(body), half.kind, *half[3:12]]


def _halves(content: memoryview, decode: Callable[[Half], Half]) -> Iterator[Half]:
    header, at = _header(content)
    for said in header:
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
        _pairs(tags),
        _pairs(headers),
        body,
    )


def _header(content: memoryview) -> tuple[list[Any], int]:
    """What is said of the bodies, and where they begin."""
    (length,) = _LENGTH.unpack_from(content)
    end = _LENGTH.size + length
    return _loads(bytes(content[_LENGTH.size : end])), end


def _letters(content: memoryview) -> Letters:
    (events, said), at = _header(content)
    letters = []
    for named, headers, size in said:
        body = bytes(content[at : at + size])
        letters.append(DeadLetter(**dict(zip(_SAID, named, strict=True)), headers=_pairs(headers), body=body))
        at += size
    return Letters(letters, events)


def _pairs(said: Any) -> tuple[tuple[str, str], ...]:
    return tuple([(name, value) for name, value in said])


def _of_rows(item: Rows | Labels) -> bytes:
    said: dict[bytes, Any] = {_EVENTS: item.events}
    if isinstance(item, Rows):
        said |= {_FIELDS: [*map(list, item.fields)], _NEW: item.new}
    schema = item.batch.schema.with_metadata({name: _dumps(value) for name, value in said.items()})
    buffer = pa.BufferOutputStream()
    buffer.write(_ROWS if isinstance(item, Rows) else _LABELS)
    with pa.ipc.new_stream(buffer, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(item.batch.columns, schema=schema))
    content: bytes = buffer.getvalue().to_pybytes()
    return content


def _rows(kind: bytes, content: memoryview) -> Rows | Labels:
    with pa.ipc.open_stream(bytes(content)) as reader:  # copied: behind the kind it lies at an odd address
        batch = reader.read_next_batch()
    said = {name: _loads(value) for name, value in batch.schema.metadata.items()}
    batch = batch.replace_schema_metadata(None)
    if kind == _LABELS:
        return Labels(batch, said[_EVENTS])
    infos = [FieldInfo(ModelKey(*model), *rest) for model, *rest in said[_FIELDS]]
    return Rows(batch, infos, said[_NEW], said[_EVENTS])


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
