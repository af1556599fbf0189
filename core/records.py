"""What crosses from the collectors to the store: columns of predictions, halves that wait, letters that died."""

import dataclasses
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

NAME = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("us", tz="UTC")

# The table `predictions` as Arrow, column by column, but for `batch`, which the store adds to each insert.
# Feature names are dictionary indices: as plain strings they cost more than the values.
PREDICTIONS = pa.schema(
    {
        "time": TIME,
        "received": TIME,
        "id": pa.string(),
        "row": pa.uint32(),
        "content": pa.uint64(),
        "namespace": pa.string(),
        "model": pa.string(),
        "version": pa.string(),
        "source": pa.string(),
        "status": pa.uint16(),
        "error": pa.string(),
        "latency": pa.float64(),
        "trace_id": pa.string(),
        "tags": pa.map_(pa.string(), pa.string()),
        "weight": pa.float64(),
        "inputs_num": pa.map_(NAME, pa.float64()),
        "inputs_cat": pa.map_(NAME, pa.string()),
        "inputs_vec": pa.map_(NAME, pa.list_(pa.float32())),
        "outputs_num": pa.map_(NAME, pa.float64()),
        "outputs_cat": pa.map_(NAME, pa.string()),
        "outputs_vec": pa.map_(NAME, pa.list_(pa.float32())),
    }
)

# The table `labels` as Arrow, but for `batch`. `num` is null for a label that is text.
LABELS = pa.schema(
    {
        "time": TIME,
        "received": TIME,
        "namespace": pa.string(),
        "model": pa.string(),
        "id": pa.string(),
        "name": pa.string(),
        "value": pa.string(),
        "num": pa.float64(),
        "source": pa.string(),
    }
)

Role = Literal["input", "output"]
HalfKind = Literal["request", "response"]


class Tensor(NamedTuple):
    """One named input or output of a model, rows first.

    `values`: float64 with NaN = missing, or object holding str with None = missing; shape (rows, ...) as it was sent,
    not yet reshaped to rows. `columns` are the names of the second axis where the payload gives them.
    `datatype` is the Open Inference Protocol's word for the elements, kept so that the model can be called again.
    """

    name: str
    values: NDArray[Any]
    datatype: str = "FP64"
    columns: tuple[str, ...] = ()


class Payload(NamedTuple):
    """What a decoder reads in one request or response body; '' where the body does not say."""

    tensors: tuple[Tensor, ...]
    id: str = ""
    model: str = ""
    version: str = ""
    error: str = ""


class ModelKey(NamedTuple):
    namespace: str
    model: str


class RequestKey(NamedTuple):
    """Identity of a request: its predictions are `<request_id>` or `<request_id>-<row>`."""

    namespace: str
    model: str
    request_id: str


class Half(NamedTuple):
    """A request or a response on its own. Times are microseconds since 1970 UTC; `latency` is in seconds, NaN unknown.

    `body` and `headers` are what was received, so that a half that waits in the store can be decoded again.
    """

    key: RequestKey
    kind: HalfKind
    payload: Payload
    time: int
    received: int
    source: str
    status: int = 200
    error: str = ""
    latency: float = np.nan
    trace_id: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def id(self) -> "HalfId":
        return HalfId(self.key, self.kind, self.received)


class HalfId(NamedTuple):
    """What tells a half from others under its key: sent again it is received at another time."""

    key: RequestKey
    kind: HalfKind
    received: int


LETTER_BYTES = 1 << 20  # what a dead letter keeps of a body: enough to see what it was


@dataclass(frozen=True)
class DeadLetter:
    """Something that was sent and could not be read, with why. `received` is microseconds since 1970 UTC.

    `body` may be cut; `body_bytes` is how long it was, -1 for a body that is whole. `path` is the call it came in, with
    its query, '' for what the collector had accepted; `rows` is how many accepted rows it stands for, 0 for what was
    refused at once. `letter` names it.
    """

    received: int
    source: str
    reason: str
    detail: str
    field: str
    body: bytes
    namespace: str = ""
    model: str = ""
    id: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body_bytes: int = -1
    rows: int = 0
    path: str = ""
    letter: str = dataclasses.field(default_factory=lambda: uuid4().hex)

    def cut(self) -> "DeadLetter":
        """With at most LETTER_BYTES of the body."""
        if len(self.body) <= LETTER_BYTES:
            return self
        return replace(self, body=self.body[:LETTER_BYTES], body_bytes=len(self.body))


class Replayed(NamedTuple):
    """One attempt to bring in what a dead letter holds: when (microseconds since 1970), by whom, and what came of it.

    `stored` settles the letter; after `rejected` it stays open, with the new `reason`. `rows` are the letter's.
    """

    letter: str
    time: int
    who: str
    outcome: Literal["stored", "rejected"]
    reason: str = ""
    detail: str = ""
    rows: int = 0


class FieldInfo(NamedTuple):
    """One field of a model as first seen, and where it sits in the model's own request: for calling it again."""

    model: ModelKey
    version: str
    name: str
    role: Role
    kind: Literal["num", "cat", "vec"]
    tensor: str
    position: int
    width: int
    datatype: str
