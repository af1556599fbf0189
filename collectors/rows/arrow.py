"""Predictions as an Arrow IPC stream, for bulk: one column a field, `inputs.age`, `outputs.p`, `tags.country`."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collectors.building.columns import concat, maps
from collectors.building.content import fingerprints
from collectors.building.exchanges import Naming
from collectors.building.fields import Block, declared
from collectors.building.lengths import check_names, too_many_tags
from collectors.rows import Defaults, RowsRead, check_models, too_many_fields
from collectors.rows.bad import Fault, bad_rows, faults, not_allowed, too_long
from collectors.rows.blocks import block
from collectors.rows.labels import PREFIX, of_columns, together
from collectors.rows.scalars import MOST_STATUS, ROLES, SCALARS, constant, infos, new_ids, tag_column
from collectors.rows.stream import read_stream
from collectors.rows.times import believable, column_times, time_text
from core.config import Limits
from core.errors import Rejected
from core.options import nearest
from core.records import PREDICTIONS, TIME, FieldInfo, ModelKey, Role

_PREFIXES = (*ROLES, "tags", "labels")
_Columns = dict[str, pa.Array]


def read_arrow(body: bytes, defaults: Defaults, naming: Callable[[ModelKey], Naming]) -> RowsRead:
    """Rejected when the stream cannot be read or has a column nobody knows; single rows go to `rejected`."""
    batch = read_stream(body, defaults.limits)
    check_columns(batch.schema.names, defaults.limits)
    scalars, found = _scalars(batch, defaults)
    worst, rejected = bad_rows(
        batch, scalars, found + too_long(_texts(batch, scalars), defaults.limits), defaults.limits
    )
    if rejected:
        keep = pa.array(~worst)
        batch, scalars = batch.filter(keep), {name: column.filter(keep) for name, column in scalars.items()}
    ids, new = _ids(batch)
    parts = list(_by_model(batch, {**scalars, "id": ids}, defaults.limits))
    numbers = [said.pop("number").to_numpy() for _, said in parts]
    built = [_built(part, said, defaults, naming) for part, said in parts]
    infos = [info for _, found in built for info in found]
    labels = [of_columns(rows, part, n) for (rows, _), (part, _), n in zip(built, parts, numbers, strict=True)]
    batches = [rows for rows, _ in built] or [pa.RecordBatch.from_pylist([], schema=PREDICTIONS)]
    whole = np.concatenate(numbers or [np.zeros(0, np.int64)])
    return RowsRead(concat(batches), rejected, infos, new, whole, together(labels))


def check_columns(names: list[str], limits: Limits) -> None:
    if len(names) > limits.fields_per_row:
        raise too_many_fields(limits)
    check_names(names, limits, "columns")
    if (tags := sum([name.startswith("tags.") for name in names])) > limits.tags:
        raise too_many_tags(tags, limits)
    for name in names:
        head, dot, field = name.partition(".")
        if name not in SCALARS and not (dot and field and head in _PREFIXES):
            known = [*SCALARS, *(f"{prefix}.{field[:100]}" for prefix in _PREFIXES)]
            raise Rejected(400, "unknown_key", nearest(name[:100], known), name)
    if len(set(names)) < len(names):
        raise Rejected(400, "bad_arrow", "the column is there twice", Counter(names).most_common(1)[0][0])


def _scalars(batch: pa.RecordBatch, defaults: Defaults) -> tuple[_Columns, list[Fault]]:
    """Every scalar column but the id in the type of the table `predictions`, nulls filled with the defaults.

    Beside them `number`, which row of the request each is. And which rows hold what cannot be meant.
    """
    filled: dict[str, Any] = {
        "namespace": defaults.namespace,
        "model": defaults.model,
        "version": defaults.version,
        "status": 200.0,
        "error": "",
        "latency": float("nan"),
        "trace_id": defaults.trace_id,
        "weight": 1.0,
    }
    said = {name: _filled(batch, name, value) for name, value in filled.items()}
    times, no_time = np.full(len(batch), defaults.received), np.zeros(len(batch), np.bool_)
    if "time" in batch.schema.names:
        times, no_time = column_times(batch.column("time"), defaults.received)
    found = [not_allowed(said["namespace"], defaults.allowed), *faults(said, no_time)]
    status = said["status"].to_numpy()
    statuses = np.where((status >= 0) & (status <= MOST_STATUS), status, 0).astype(np.uint16)
    numbers = pa.array(np.arange(len(batch)))
    return {**said, "time": pa.array(times), "status": pa.array(statuses), "number": numbers}, found


def _texts(batch: pa.RecordBatch, scalars: _Columns) -> _Columns:
    """Every column whose text has a limit."""
    names = [n for n in batch.schema.names if n == "id" or n.startswith(("tags.", PREFIX))]
    return {**scalars, **{name: _cast(batch, name, pa.string()) for name in names}}


def _filled(batch: pa.RecordBatch, name: str, default: str | float) -> pa.Array:
    scalar = pa.scalar(default)
    if name not in batch.schema.names:
        return pa.repeat(scalar, len(batch))
    return _cast(batch, name, scalar.type).fill_null(scalar)


def _cast(batch: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
    try:
        return batch.column(name).cast(kind)
    except pa.ArrowException as error:
        raise Rejected(400, "bad_value", f"cannot be read as {kind}: {str(error)[:200]}", name) from None


def _ids(batch: pa.RecordBatch) -> tuple[pa.Array, bool]:
    """The ids, made here where none was sent; and whether all were."""
    if "id" not in batch.schema.names:
        return pa.array(new_ids(len(batch)), pa.string()), True
    ids = _cast(batch, "id", pa.string())
    unknown = pc.or_kleene(ids.is_null(), pc.equal(ids, "")).fill_null(True)
    if not (missing := pc.sum(unknown).as_py() or 0):
        return ids, False
    return pc.replace_with_mask(ids, unknown, pa.array(new_ids(missing), pa.string())), missing == len(ids)


def _by_model(batch: pa.RecordBatch, scalars: _Columns, limits: Limits) -> Iterator[tuple[pa.RecordBatch, _Columns]]:
    """Rows of one (namespace, model, version) at a time: nearly always all of them."""
    groups = np.zeros(len(batch), np.int64)
    for name in ("namespace", "model", "version"):
        encoded = scalars[name].dictionary_encode()
        if len(encoded.dictionary) > 1:
            joint = groups * len(encoded.dictionary) + encoded.indices.to_numpy()
            groups = np.unique(joint, return_inverse=True)[1]
    counts = np.bincount(groups)
    check_models(len(counts), limits)
    if len(counts) == 1:
        yield batch, scalars
        return
    order = np.argsort(groups, kind="stable")
    for chosen in np.split(order, np.cumsum(counts)[:-1]):
        rows = pa.array(chosen)
        if len(rows):
            yield batch.take(rows), {name: column.take(rows) for name, column in scalars.items()}


def _built(
    batch: pa.RecordBatch, scalars: _Columns, defaults: Defaults, naming: Callable[[ModelKey], Naming]
) -> tuple[pa.RecordBatch, list[FieldInfo]]:
    model = ModelKey(scalars["namespace"][0].as_py(), scalars["model"][0].as_py())
    kinds = naming(model).kinds
    found = [(role, block) for name in batch.schema.names for role, block in _field(batch, name, defaults.limits)]
    fields = maps(len(batch), [(role, part) for role, block in found for part in declared([block], kinds)])
    columns = {**scalars, **constant(defaults, len(batch)), **_times_and_tags(batch, scalars["time"], defaults)}
    rows = pa.RecordBatch.from_pydict({**columns, "content": fingerprints(fields), **fields}, schema=PREDICTIONS)
    return rows, infos(model, scalars["version"][0].as_py(), fields)


def _field(batch: pa.RecordBatch, name: str, limits: Limits) -> Iterator[tuple[Role, Block]]:
    head, _, field = name.partition(".")
    if head in ROLES and batch.column(name).null_count < len(batch):
        yield ROLES[head], block(field, batch.column(name), name, limits)


def _times_and_tags(batch: pa.RecordBatch, sent: pa.Array, defaults: Defaults) -> _Columns:
    """Event times that cannot be meant become `received`, with the original in a tag."""
    times = sent.to_numpy()
    ok = believable(times, defaults.received)
    tags = _tags(batch)
    if not ok.all():
        tags = tags or [[] for _ in range(len(batch))]
        for row in np.flatnonzero(~ok):
            tags[row].append(("original_time", time_text(int(times[row]))))
    column = tag_column(tags) if tags else _no_tags(len(batch))
    return {"time": pa.array(np.where(ok, times, defaults.received)).cast(TIME), "tags": column}


def _no_tags(rows: int) -> pa.Array:
    empty = pa.array([], pa.string())
    return pa.MapArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), empty, empty)


def _tags(batch: pa.RecordBatch) -> list[list[tuple[str, str]]]:
    names = [n for n in batch.schema.names if n.startswith("tags.")]
    columns = [_cast(batch, name, pa.string()).to_pylist() for name in names]
    keys = [name.removeprefix("tags.") for name in names]
    return [[(k, v) for k, v in zip(keys, row, strict=True) if v is not None] for row in zip(*columns, strict=True)]
