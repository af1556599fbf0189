"""A 64-bit fingerprint of what a prediction says: the same whoever sends it, in whatever order its fields come.

Each present value is hashed together with its role and name; the hashes are added, so order does not matter and a whole
batch is a few numpy operations. Duplicate or conflict is asked only within one prediction id, so 64 bits do.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


def fingerprints(maps: Mapping[str, pa.MapArray]) -> Hashes:
    """One fingerprint a row, shape (rows,), of the six map columns as `collectors.building.columns` makes them."""
    total = np.zeros(len(maps["inputs_num"]), dtype=np.uint64)
    for name, column in maps.items():
        if len(column.items):
            total += _of_map(name, column)
    return mix(total)


def _of_map(name: str, column: pa.MapArray) -> Hashes:
    role, _, kind = name.rpartition("_")
    names = np.array([_text(f"{role}.{field}") for field in column.keys.dictionary.to_pylist()], dtype=np.uint64)
    hashed = mix(_PER_KIND[kind](column.items) ^ names[column.keys.indices.to_numpy()])
    ends = np.concatenate((np.zeros(1, np.uint64), np.cumsum(hashed)))  # wraps around, and so do differences
    offsets = column.offsets.to_numpy()
    summed: Hashes = ends[offsets[1:]] - ends[offsets[:-1]]
    return summed


def _numbers(items: pa.Array) -> Hashes:
    values: NDArray[np.float64] = items.to_numpy() + 0.0  # -0.0 and 0.0 are one value
    return values.view(np.uint64)


def _texts(items: pa.Array) -> Hashes:
    distinct = items.dictionary_encode()
    hashes = np.array([_text(text) for text in distinct.dictionary.to_pylist()], dtype=np.uint64)
    found: Hashes = hashes[distinct.indices.to_numpy()]
    return found


def _vectors(items: pa.Array) -> Hashes:
    values = items.values.to_numpy(zero_copy_only=False) + np.float32(0)
    values[np.isnan(values)] = np.nan  # NaN has many bit patterns
    offsets = items.offsets.to_numpy()
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    return np.array([_digest(values[start:end].tobytes()) for start, end in bounds], dtype=np.uint64)


_PER_KIND: dict[str, Callable[[pa.Array], Hashes]] = {"num": _numbers, "cat": _texts, "vec": _vectors}


def mix(bits: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection in which every bit depends on every bit."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@lru_cache(maxsize=65536)
def _text(text: str) -> int:
    return _digest(text.encode())


def _digest(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
