"""Requests with their responses, made into rows of `predictions`: a request with N rows is N predictions."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collectors.building.columns import maps
from collectors.building.content import fingerprints
from collectors.building.fields import Block, ColumnNames, aligned, blocks, declared, row_count
from core.records import PREDICTIONS, TIME, FieldInfo, Half, ModelKey, Role, Tensor


class Exchange(NamedTuple):
    """A request and its response. One of them is None for a half that is shown on its own."""

    request: Half | None
    response: Half | None

    @property
    def first(self) -> Half:
        half = self.request or self.response
        assert half is not None
        return half


class Naming(NamedTuple):
    """What is known of a model's fields beyond its payloads: names of tensor columns, and declared kinds."""

    inputs: ColumnNames
    outputs: ColumnNames
    kinds: Mapping[str, str]


class _Signature(NamedTuple):
    """Exchanges with equal signatures have the same fields, so that their tensors can be concatenated."""

    model: ModelKey
    version: str
    source: str
    inputs: tuple[object, ...]
    outputs: tuple[object, ...]


class _Aligned(NamedTuple):
    exchange: Exchange
    rows: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Group(NamedTuple):
    """Predictions of one model with the same fields."""

    batch: pa.RecordBatch
    fields: list[FieldInfo]


def to_rows(exchanges: Sequence[Exchange], naming: Callable[[ModelKey], Naming]) -> list[Group]:
    """One group of rows for each model and shape of payload."""
    grouped: dict[_Signature, list[_Aligned]] = defaultdict(list)
    for exchange in exchanges:
        one = _align(exchange)
        grouped[_signature(one)].append(one)
    return [_group(signature, members, naming(signature.model)) for signature, members in grouped.items()]


def _align(exchange: Exchange) -> _Aligned:
    inputs = exchange.request.payload.tensors if exchange.request else ()
    outputs = exchange.response.payload.tensors if exchange.response else ()
    rows = row_count(inputs or outputs)
    if not rows:  # an inference of no rows is still one that was asked for, and may have failed
        return _Aligned(exchange, 1, (), ())
    return _Aligned(exchange, rows, _all_aligned(inputs, rows), _all_aligned(outputs, rows))


def _all_aligned(tensors: tuple[Tensor, ...], rows: int) -> tuple[Tensor, ...]:
    return tuple([t if len(t.values) == rows else aligned(t, rows) for t in tensors])


def _signature(one: _Aligned) -> _Signature:
    first, response = one.exchange.first, one.exchange.response
    version = response.payload.version if response else ""
    model = ModelKey(first.key.namespace, first.key.model)
    return _Signature(model, version, first.source, _shapes(one.inputs), _shapes(one.outputs))


def _shapes(tensors: tuple[Tensor, ...]) -> tuple[object, ...]:
    return tuple([(t.name, t.values.shape[1:], t.values.dtype.kind, t.columns, t.datatype) for t in tensors])


def _group(signature: _Signature, members: list[_Aligned], naming: Naming) -> Group:
    inputs = blocks(_stacked([m.inputs for m in members]), naming.inputs)
    outputs = blocks(_stacked([m.outputs for m in members]), naming.outputs)
    parts: list[tuple[Role, Block]] = [("input", b) for b in declared(inputs, naming.kinds)]
    parts += [("output", b) for b in declared(outputs, naming.kinds)]
    scalars = _scalars(signature, members)
    fields = maps(len(scalars["id"]), parts)
    columns = {**scalars, "content": fingerprints(fields), **fields}
    infos = [*_infos(signature, "input", inputs, naming.kinds), *_infos(signature, "output", outputs, naming.kinds)]
    return Group(pa.RecordBatch.from_pydict(columns, schema=PREDICTIONS), infos)


def _stacked(tensors: list[tuple[Tensor, ...]]) -> list[Tensor]:
    """Tensor by tensor, the rows of all exchanges below each other."""
    return [same[0]._replace(values=np.concatenate([t.values for t in same])) for same in zip(*tensors, strict=True)]


def _scalars(signature: _Signature, members: list[_Aligned]) -> dict[str, Any]:
    """Every column that says the same for all rows of one exchange, repeated for its rows; ids and row numbers."""
    counts = np.array([m.rows for m in members])
    which = np.repeat(np.arange(len(members)), counts)
    total = len(which)
    row = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    said = {name: _repeated(values, which) for name, values in _said([m.exchange for m in members]).items()}
    constant = {"namespace": signature.model.namespace, "model": signature.model.model}
    constant |= {"version": signature.version, "source": signature.source}
    return {
        **said,
        **{name: pa.repeat(pa.scalar(value, pa.string()), total) for name, value in constant.items()},
        "id": _ids(members, which, row),
        "row": pa.array(row.astype(np.uint32)),
        "weight": np.ones(total),
    }


def _repeated(values: pa.Array, which: NDArray[np.int64]) -> pa.Array:
    return values if len(values) == len(which) else values.take(pa.array(which))


def _ids(members: list[_Aligned], which: NDArray[np.int64], row: NDArray[np.int64]) -> list[str]:
    requests = [m.exchange.first.key.request_id for m in members]
    if len(which) == len(members):
        return requests
    pairs = zip(which.tolist(), row.tolist(), strict=True)
    return [requests[w] if members[w].rows == 1 else f"{requests[w]}-{r}" for w, r in pairs]


def _said(exchanges: list[Exchange]) -> dict[str, pa.Array]:
    firsts = [e.first for e in exchanges]
    lasts = [e.response or e.first for e in exchanges]
    both = list(zip(firsts, lasts, strict=True))
    return {
        "time": pa.array([f.time for f in firsts], pa.int64()).cast(TIME),
        "received": pa.array([max(f.received, r.received) for f, r in both], pa.int64()).cast(TIME),
        "status": pa.array([0 if e.response is None else e.response.status for e in exchanges], pa.uint16()),
        "error": pa.array([r.error for r in lasts], pa.string()),
        "latency": pa.array([_latency(f, r) for f, r in both], pa.float64()),
        "trace_id": pa.array([f.trace_id or r.trace_id for f, r in both], pa.string()),
        "tags": pa.array(
            [list({**dict(r.tags), **dict(f.tags)}.items()) for f, r in both], PREDICTIONS.field("tags").type
        ),
    }


def _latency(request: Half, response: Half) -> float:
    """As the tap measured it, else the time between the two events; NaN when neither says."""
    if response.latency == response.latency or request is response:
        return response.latency
    return max(0.0, (response.time - request.time) / 1e6)


def _infos(signature: _Signature, role: Role, found: list[Block], kinds: Mapping[str, str]) -> list[FieldInfo]:
    return [
        FieldInfo(
            signature.model,
            signature.version,
            name,
            role,
            "cat" if block.kind == "num" and kinds.get(name) == "cat" else block.kind,
            block.tensor,
            position,
            block.values.shape[1] if block.kind == "vec" else len(block.names),
            block.datatype,
        )
        for block in found
        for position, name in enumerate(block.names)
    ]
