"""What each decoder promises of any bytes: values that keep their invariants, or Rejected, in bounded time.

An input is a head of `name: value` lines, a blank line and the body, as a captured HTTP message is.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from collectors.accepting.items import Halves, Rows
from collectors.accepting.journal import frames_of, read_frame
from collectors.building.exchanges import Exchange, to_rows
from collectors.building.naming import Names
from collectors.cloudevents.events import Event, read
from collectors.formats import FORMATS, decode
from collectors.formats.body import parse
from collectors.rows import Defaults, RowsRead
from collectors.taps.events import decoded_again, half_of
from collectors.taps.hints import hints
from collectors.taps.rows import READERS
from core.config import Config, Limits
from core.errors import Rejected
from core.records import PREDICTIONS, Half, HalfKind, Payload, RequestKey

NOW = 1_800_000_000_000_000  # microseconds: 2027-01-15T08:00:00Z
# Small, so that what the limits must stop would be seen long before the machine suffers.
LIMITS = Limits(body_bytes=2**20, rows_per_request=20_000, fields_per_row=1_000)
NAMES = Names(Config())
CLOUDEVENTS = {
    "binary": "application/json",
    "structured": "application/cloudevents+json",
    "batch": "application/cloudevents-batch+json",
}


class Input(NamedTuple):
    headers: Mapping[str, str]
    body: bytes


Outcome = str  # what came of an input, in a word: inputs with new outcomes are worth mutating further
Target = Callable[[Input], Outcome]


def parsed(data: bytes) -> Input:
    head, _, body = data.partition(b"\n\n")
    lines = (line.partition(": ") for line in head.decode("latin-1").split("\n"))
    return Input({name.lower(): value for name, _, value in lines if name}, body)


def rejected_or(check: Callable[[Input], Outcome]) -> Target:
    """A decoder may refuse anything, but only with Rejected and a 4xx."""

    def run(sent: Input) -> Outcome:
        try:
            return check(sent)
        except Rejected as error:
            assert 400 <= error.status < 500 and error.code and error.detail
            error.detail.encode(), error.field.encode()
            return f"{error.code} {''.join(c for c in error.field if not c.isdigit())[:40]}"

    return run


def _format(name: str, sent: Input) -> Outcome:
    kind = _kind(sent)
    said = hints(sent.headers, LIMITS)
    if not FORMATS[name].matches(parse(sent.body, said).value):
        return "other format"
    payload = decode(sent.body, kind, said)
    check_payload(payload)
    half = Half(
        RequestKey("n", "m", "id"), kind, payload, NOW, NOW, "s", headers=tuple(sent.headers.items()), body=sent.body
    )
    check_half(half)
    return _shapes(payload)


def check_payload(payload: Payload) -> None:
    for text in payload[1:]:
        assert type(text) is str and text.encode() is not None
    for tensor in payload.tensors:
        assert type(tensor.name) is str and tensor.name.encode() is not None
        assert tensor.values.ndim >= 1 and math.prod(tensor.values.shape) == tensor.values.size
        assert len(tensor.values) <= LIMITS.rows_per_request
        if tensor.values.dtype == object:
            assert {type(cell) for cell in tensor.values.flat} <= {str, type(None)}
        else:
            assert tensor.values.dtype == np.float64
        assert not tensor.columns or len(tensor.columns) == tensor.values.shape[1]


def check_half(half: Half) -> None:
    """It becomes rows, alone and beside another, and comes out of the log as it went in."""
    other = half._replace(kind="response", payload=Payload(half.payload.tensors[::-1]))
    exchanges = [Exchange(half, None)] if half.kind == "request" else [Exchange(None, half)]
    for group in to_rows([*exchanges, Exchange(half._replace(kind="request"), other)], NAMES):
        check_batch(group.batch)
    ((_, frame),) = frames_of(Halves([half]))
    item = read_frame(frame, partial(decoded_again, limits=LIMITS))
    assert isinstance(item, Halves)
    (again,) = item.halves
    assert again[:2] == half[:2]
    assert repr(again.payload.tensors) == repr(half.payload.tensors) and again.payload.version == half.payload.version


def check_batch(batch: pa.RecordBatch) -> None:
    assert batch.schema == PREDICTIONS
    batch.validate(full=True)
    for name in ("id", "model"):
        assert pa.compute.all(pa.compute.not_equal(batch.column(name), "")).as_py() is not False


def _rows(content_type: str, sent: Input) -> Outcome:
    defaults = Defaults("default", sent.headers.get("model", ""), "", "api", NOW, limits=LIMITS)
    found = READERS[content_type](sent.body, defaults, NAMES)
    check_rows(found)
    return f"{len(found.batch) > 0} {sorted({r.code + r.field[:20] for r in found.rejected})[:3]} {len(found.fields)}"


def check_rows(found: RowsRead) -> None:
    check_batch(found.batch)
    assert len(found.batch) + len(found.rejected) <= LIMITS.rows_per_request
    for row in found.rejected:
        assert row.code and row.reason and isinstance(row.body, bytes)
        row.field.encode(), row.reason.encode()
    for _, frame in frames_of(Rows(found.batch, found.fields)):
        again = read_frame(frame, lambda half: half)
        assert isinstance(again, Rows) and len(again.batch) <= len(found.batch)


def _events(mode: str, sent: Input) -> Outcome:
    headers = {**sent.headers, "content-type": CLOUDEVENTS[mode]} if mode != "binary" else sent.headers
    outcomes = [_event(event, headers) for event in read(headers, sent.body, LIMITS)]
    return " ".join(outcomes[:3])


def _event(event: Event | Rejected, headers: Mapping[str, str]) -> Outcome:
    if isinstance(event, Rejected):
        return event.code
    try:
        half = half_of(event, headers, NOW, LIMITS)
    except Rejected as error:
        assert 400 <= error.status < 500
        return error.code
    check_payload(half.payload)
    check_half(half)
    return half.kind


def _frame(sent: Input) -> Outcome:
    """The log's checksums let no damage through; what another version wrote may raise what a parser raises."""
    try:
        found = read_frame(sent.body, partial(decoded_again, limits=LIMITS))
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        return type(error).__name__
    return type(found).__name__


def _kind(sent: Input) -> HalfKind:
    return "response" if sent.headers.get("kind") == "response" else "request"


def _shapes(payload: Payload) -> Outcome:
    return str([(t.values.ndim, t.values.dtype.kind, t.datatype, len(t.columns)) for t in payload.tensors[:3]])


TARGETS: dict[str, Target] = {
    **{name: rejected_or(partial(_format, name)) for name in FORMATS},
    "rows-json": rejected_or(partial(_rows, "application/json")),
    "rows-ndjson": rejected_or(partial(_rows, "application/x-ndjson")),
    "rows-arrow": rejected_or(partial(_rows, "application/vnd.apache.arrow.stream")),
    **{f"cloudevents-{mode}": rejected_or(partial(_events, mode)) for mode in CLOUDEVENTS},
    "log-frame": _frame,
}
