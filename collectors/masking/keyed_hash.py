"""`hash`: equal values stay equal, and nobody without the key can tell which they were, not even by trying them all.

Keyed BLAKE2b (RFC 7693) of the text, 128 bits in hexadecimal. The same under one key in every field, tag and model, so
that what belongs together can still be joined.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from collectors.masking.action import Texts
from core.config.masking import Do

HASH_BYTES = 16


@dataclass(frozen=True, eq=False)
class KeyedHash:
    key: bytes = field(repr=False)
    numeric: bool = False

    def texts(self, values: Texts) -> Texts:
        return [None if value is None else self._hashed(value) for value in values]

    def numbers(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError("a hashed number is a category")

    def _hashed(self, text: str) -> str:
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES, key=self.key).hexdigest()


def make(do: Do, key: bytes) -> KeyedHash:
    """A key of any length: BLAKE2b itself takes at most 64 bytes."""
    return KeyedHash(blake2b(key).digest())
