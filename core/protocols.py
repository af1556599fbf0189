"""Where rooms that do not know each other meet; wired together in `tidemark/`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from core.distribution import Floats
from core.records import DeadLetter, FieldInfo, Half, RequestKey


class Sink(Protocol):
    """Takes what collectors accept. A call returns when the rows are stored, or raises StoreError."""

    def store(self, predictions: pa.RecordBatch) -> None:
        """Store rows of the schema `core.records.PREDICTIONS`."""

    def store_fields(self, fields: Iterable[FieldInfo]) -> None: ...

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None: ...


class HalfStore(Protocol):
    """Where halves wait whose other half has not come: any collector over the same store finds them."""

    def keep(self, halves: Sequence[Half]) -> None: ...

    def kept(self, keys: Collection[RequestKey]) -> list[Half]:
        """Those kept under `keys` and not completed; their payloads are empty: decode `body` again."""

    def complete(self, halves: Sequence[Half]) -> None:
        """Mark halves whose other half came."""


class Predict(Protocol):
    """Calls a model where it lives."""

    def __call__(self, rows: Floats, fields: Sequence[str]) -> Mapping[str, Floats]:
        """`rows` has shape (n, fields), in the order of `fields`; returns each numeric output, shape (n,)."""
