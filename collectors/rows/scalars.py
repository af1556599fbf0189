"""What the columns have in common that every row has beside its fields."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collectors.rows import Defaults
from core.access import Namespaces
from core.records import PREDICTIONS, TIME, FieldInfo, ModelKey, Role

SCALARS = ("id", "time", "status", "error", "latency", "trace_id", "weight", "model", "version", "namespace")
MOST_STATUS = 999
ROLES: Mapping[str, Role] = {"inputs": "input", "outputs": "output"}


# What new ids follow from, instead of chance, while one call is replayed: the same call again gets the same ids.
_source: ContextVar[Iterator[bytes] | None] = ContextVar("_source", default=None)


@contextmanager
def ids_from(seed: str) -> Iterator[None]:
    """Within the block new ids are made from `seed` alone."""
    token = _source.set(blake2b(f"{seed}:{count}".encode(), digest_size=16).digest() for count in itertools.count())
    try:
        yield
    finally:
        _source.reset(token)


def new_ids(rows: int) -> list[str]:
    """Random ids (version 4 UUIDs without dashes), made all at once."""
    made = _source.get()
    noise = bytearray(os.urandom(16 * rows) if made is None else b"".join(itertools.islice(made, rows)))
    noise[6::16] = bytes(b & 0x0F | 0x40 for b in noise[6::16])
    noise[8::16] = bytes(b & 0x3F | 0x80 for b in noise[8::16])
    digits = noise.hex()
    return [digits[at : at + 32] for at in range(0, 32 * rows, 32)]


def constant(defaults: Defaults, rows: int) -> dict[str, pa.Array]:
    """Columns that say the same for every row."""
    said: Mapping[str, Any] = {
        "received": pa.scalar(defaults.received, pa.int64()).cast(TIME),
        "source": pa.scalar(defaults.source),
        "row": pa.scalar(0, pa.uint32()),
    }
    return {name: pa.repeat(value, rows) for name, value in said.items()}


def forbidden(namespaces: pa.Array, allowed: Namespaces) -> NDArray[np.bool_]:
    """Which rows are of a namespace that the sender may not write into."""
    if allowed.names is None:
        return np.zeros(len(namespaces), np.bool_)
    inside = pc.is_in(namespaces, pa.array(allowed.names, pa.string()))
    return ~np.asarray(inside, np.bool_)


def tag_column(tags: Sequence[Sequence[tuple[str, str]]]) -> pa.Array:
    return pa.array(tags, PREDICTIONS.field("tags").type)


def infos(model: ModelKey, version: str, maps: Mapping[str, pa.MapArray]) -> list[FieldInfo]:
    """Fields sent by name: each would be a tensor of its own if the model were called."""
    columns = ((*name.split("_"), column.keys.dictionary.to_pylist()) for name, column in maps.items())
    return [
        FieldInfo(model, version, name, ROLES[side], kind, name, 0, 1, "BYTES" if kind == "cat" else "FP64")
        for side, kind, names in columns
        for name in names
    ]
