"""Rows of the schema PREDICTIONS as they may be written: fields, tags and error texts masked, contents hashed again."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collectors.building.columns import MAPS, concat, entries, kind_of, to_map
from collectors.building.content import fingerprints
from collectors.masking.action import Unmaskable
from collectors.masking.letters import WITHHELD
from collectors.masking.maps import masked_maps
from collectors.masking.rules import Chain, OfModel, Rules
from core.records import PREDICTIONS, FieldInfo, ModelKey


class Failed(NamedTuple):
    """A row that a rule cannot mask: where it is in the batch, and why."""

    row: int
    why: str


class RowsMasked(NamedTuple):
    """The rows that may be written, as they may; and the others."""

    batch: pa.RecordBatch
    failed: list[Failed]


def masked_rows(batch: pa.RecordBatch, rules: Rules) -> RowsMasked:
    """Every row of `batch`, in its order, is in one of the two."""
    done, failed = [], []
    for start, part in _by_model(batch):
        found = _of_one_model(part, rules.of(_model(part)))
        done.append(found.batch)
        failed += [failure._replace(row=failure.row + start) for failure in found.failed]
    return RowsMasked(concat(done) if done else batch, failed)


def masked_fields(fields: Sequence[FieldInfo], rules: Rules) -> list[FieldInfo]:
    """What they are once their values are masked: a hashed number is a category."""
    return list(dict.fromkeys(_field(info, field_chain(rules.of(info.model), info.name)) for info in fields))


def field_chain(rules: OfModel, name: str) -> Chain | None:
    return rules.column(name)


def _field(info: FieldInfo, chain: Chain | None) -> FieldInfo:
    return info if chain is None or chain.numeric else info._replace(kind="cat", datatype="BYTES", width=1)


def _by_model(batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Runs of rows of one model, with where each begins: the readers put rows of one model together."""
    if not len(batch):
        return
    keys = pc.binary_join_element_wise(batch.column("namespace"), batch.column("model"), "\0").dictionary_encode()
    changes = np.flatnonzero(np.diff(keys.indices.to_numpy())) + 1
    bounds = [0, *changes.tolist(), len(batch)]
    for start, end in pairwise(bounds):
        yield start, batch.slice(start, end - start)


def _model(batch: pa.RecordBatch) -> ModelKey:
    return ModelKey(batch.column("namespace")[0].as_py(), batch.column("model")[0].as_py())


def _of_one_model(batch: pa.RecordBatch, rules: OfModel) -> RowsMasked:
    """A row that fails is taken out, and the others begin again: one long text must not cost its neighbours."""
    failed: list[Failed] = []
    numbers = np.arange(len(batch))
    while rules and len(batch):
        try:
            return RowsMasked(_masked(batch, rules), failed)
        except Unmaskable as error:
            failed += [Failed(int(row), str(error)) for row in numbers[error.failed]]
            batch, numbers = batch.filter(pa.array(~error.failed)), numbers[~error.failed]
    return RowsMasked(batch, failed)


def _masked(batch: pa.RecordBatch, rules: OfModel) -> pa.RecordBatch:
    columns: dict[str, Any] = {name: batch.column(name) for name in batch.schema.names}
    if rules.names_fields:
        columns |= _fields(columns, rules)
    if rules.names_labels:
        columns["tags"] = _tags(columns["tags"], rules)
    quiet = pc.equal(columns["error"], "")
    columns["error"] = pc.if_else(quiet, columns["error"], WITHHELD)
    return pa.RecordBatch.from_pydict(columns, schema=PREDICTIONS)


def _fields(columns: Mapping[str, Any], rules: OfModel) -> dict[str, Any]:
    found: dict[str, pa.MapArray] = {}
    for role in ("inputs", "outputs"):
        of_role = {kind_of(name): columns[name] for name in MAPS if name.startswith(role)}
        masked = masked_maps(of_role, lambda name: field_chain(rules, name))
        found |= {f"{role}_{kind}": column for kind, column in (masked or {}).items()}
    if not found:
        return {}
    maps = {name: found.get(name) or to_map(entries(columns[name]), kind_of(name)) for name in MAPS}
    return {**maps, "content": fingerprints(maps)}


def _tags(column: pa.MapArray, rules: OfModel) -> pa.MapArray:
    """Tags that are dropped are left out of their rows."""
    offsets = column.offsets.to_numpy()
    keys = column.keys.slice(offsets[0], offsets[-1] - offsets[0]).dictionary_encode()
    values = column.items.slice(offsets[0], offsets[-1] - offsets[0])
    rows = np.repeat(np.arange(len(column)), np.diff(offsets))
    for index, name in enumerate(keys.dictionary.to_pylist()):
        if chain := rules.label(name):
            chosen = keys.indices.to_numpy() == index
            values = pc.replace_with_mask(values, pa.array(chosen), _texts(values, chosen, rows, len(column), chain))
    present = values.is_valid().to_numpy(zero_copy_only=False)
    counts = np.bincount(rows[present], minlength=len(column))
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    kept = pa.array(present)
    return pa.MapArray.from_arrays(pa.array(starts), keys.dictionary_decode().filter(kept), values.filter(kept))


def _texts(values: pa.Array, chosen: NDArray[np.bool_], rows: NDArray[np.int64], count: int, chain: Chain) -> pa.Array:
    distinct = values.filter(pa.array(chosen)).dictionary_encode()
    where = distinct.indices.to_numpy()
    try:
        return pa.array(chain.texts(distinct.dictionary.to_pylist()), pa.string()).take(pa.array(where))
    except Unmaskable as error:
        failed = np.zeros(count, np.bool_)
        failed[rows[chosen][error.failed[where]]] = True
        raise Unmaskable(str(error), failed) from None
