"""The map columns of rows, masked a field at a time: no Python for each row, only for each distinct text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collectors.building.columns import ITEMS, Entries, entries, to_map
from collectors.building.fields import Kind
from collectors.masking.action import Unmaskable
from collectors.masking.rules import Chain, category
from collectors.masking.tensors import vector_texts

ChainOf = Callable[[str], Chain | None]


class Part(NamedTuple):
    """Values of one map column: the row of each, the number of its field, itself."""

    kind: Kind
    rows: NDArray[np.int64]
    fields: NDArray[np.int32]
    items: pa.Array


def masked_maps(maps: Mapping[Kind, pa.MapArray], chain_of: ChainOf) -> dict[Kind, pa.MapArray] | None:
    """The num, cat and vec column of one role, each with the same rows as before; None when no rule matches a field.

    Unmaskable says which rows hold what a rule cannot mask.
    """
    found = {kind: entries(column) for kind, column in maps.items()}
    if not any(chain_of(name) for one in found.values() for name in one.names):
        return None
    names = [*dict.fromkeys(name for one in found.values() for name in one.names)]
    parts = [part for kind, one in found.items() for part in _parts(kind, one, names, chain_of)]
    rows = len(next(iter(maps.values())))
    together = {kind: _together(rows, names, [p for p in parts if p.kind == kind], kind) for kind in maps}
    return {kind: to_map(one, kind) for kind, one in together.items()}


def _parts(kind: Kind, found: Entries, names: Sequence[str], chain_of: ChainOf) -> Iterator[Part]:
    """The values of each chain together, masked."""
    rows = np.repeat(np.arange(len(found.counts)), found.counts)
    where = {name: number for number, name in enumerate(names)}
    numbers = np.array([where[name] for name in found.names], np.int32)
    groups: dict[Chain | None, list[int]] = {}
    for index, name in enumerate(found.names):
        groups.setdefault(chain_of(name), []).append(index)
    for chain, indices in groups.items():
        chosen = np.zeros(len(found.names), np.bool_)
        chosen[indices] = True
        at = np.flatnonzero(chosen[found.keys])
        if not len(at):
            continue
        part = Part(kind, rows[at], numbers[found.keys[at]], found.items.take(pa.array(at)))
        yield _masked(part, chain, len(found.counts)) if chain else part


def _masked(part: Part, chain: Chain, rows: int) -> Part:
    try:
        kind, items = _PER_KIND[part.kind](part.items, chain)
    except Unmaskable as error:
        failed = np.zeros(rows, np.bool_)
        failed[part.rows[error.failed]] = True
        raise Unmaskable(str(error), failed) from None
    present = items.is_valid().to_numpy(zero_copy_only=False)
    if kind == "num":
        present &= ~np.isnan(items.to_numpy(zero_copy_only=False))
    return Part(kind, part.rows[present], part.fields[present], items.filter(pa.array(present)))


def _numbers(items: pa.Array, chain: Chain) -> tuple[Kind, pa.Array]:
    values = items.to_numpy(zero_copy_only=False)
    if chain.numeric:
        return "num", pa.array(chain.elements(values))
    distinct, where = np.unique(values, return_inverse=True)
    return "cat", _each([*map(category, distinct.tolist())], where.ravel(), chain)


def _texts(items: pa.Array, chain: Chain) -> tuple[Kind, pa.Array]:
    distinct = items.dictionary_encode()
    return "cat", _each(distinct.dictionary.to_pylist(), distinct.indices.to_numpy(), chain)


def _each(distinct: Sequence[str | None], where: NDArray[np.int64], chain: Chain) -> pa.Array:
    try:
        return pa.array(chain.texts(distinct), pa.string()).take(pa.array(where))
    except Unmaskable as error:
        raise Unmaskable(str(error), error.failed[where]) from None


def _vectors(items: pa.Array, chain: Chain) -> tuple[Kind, pa.Array]:
    if not chain.numeric:
        return "cat", pa.array(chain.texts(_texts_of(items)), pa.string())
    offsets, values = items.offsets.to_numpy(), items.values.to_numpy(zero_copy_only=False).astype(np.float64)
    masked = chain.elements(values[offsets[0] : offsets[-1]]).astype(np.float32)
    lists = pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), pa.array(masked, pa.float32()))
    missing = pa.array([text is None for text in _texts_of(lists)])
    return "vec", pc.if_else(missing, pa.scalar(None, ITEMS["vec"]), lists)


def _texts_of(items: pa.Array) -> list[str | None]:
    offsets, values = items.offsets.to_numpy(), items.values.to_numpy(zero_copy_only=False)
    return vector_texts([values[start:end] for start, end in pairwise(offsets)])


_PER_KIND: Mapping[Kind, Callable[[pa.Array, Chain], tuple[Kind, pa.Array]]] = {
    "num": _numbers,
    "cat": _texts,
    "vec": _vectors,
}


def _together(rows: int, names: Sequence[str], parts: Sequence[Part], kind: Kind) -> Entries:
    """Row after row; where masking has made one name of a number and of a text, the row keeps both."""
    if not parts:
        return Entries(np.zeros(rows, np.int32), (), np.zeros(0, np.int32), pa.array([], ITEMS[kind]))
    at, fields = (np.concatenate([getattr(part, what) for part in parts]) for what in ("rows", "fields"))
    order = np.argsort(at, kind="stable")
    used = np.bincount(fields, minlength=len(names)) > 0
    keys = (np.cumsum(used) - 1)[fields[order]].astype(np.int32)
    items = pa.concat_arrays([part.items for part in parts]).take(pa.array(order))
    counts = np.bincount(at, minlength=rows).astype(np.int32)
    return Entries(counts, tuple(name for name, there in zip(names, used, strict=True) if there), keys, items)
