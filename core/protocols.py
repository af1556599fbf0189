"""Where rooms that do not know each other meet; wired together in `tidemark/`."""

from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
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


class Journal(Protocol):
    """The log in front of the store: what is in it survives a crash, until it is stored."""

    def append(self, frame: bytes) -> Awaitable[AbstractContextManager[object]]:
        """Done once the frame is on disk; what it holds is handed to the collector inside the context.

        Overloaded when the log is full or the disk refuses, Rejected for a frame too large for it.
        """

    def stored(self, before: int) -> None:
        """Everything handed over before that time, microseconds since 1970, is in the store."""


class HalfStore(Protocol):
    """Where halves wait whose other half has not come: any collector over the same store finds them."""

    def keep(self, halves: Sequence[Half]) -> None: ...

    def kept(self, keys: Collection[RequestKey]) -> list[Half]:
        """Those kept under `keys` and not completed; their payloads are empty: decode `body` again."""

    def complete(self, halves: Sequence[Half]) -> None:
        """Mark halves whose other half came."""

    def predicted(self, keys: Collection[RequestKey]) -> Mapping[RequestKey, int]:
        """Those whose predictions are stored, with when they were last received, in microseconds."""


class Predict(Protocol):
    """Calls a model where it lives."""

    def __call__(self, rows: Floats, fields: Sequence[str]) -> Mapping[str, Floats]:
        """`rows` has shape (n, fields), in the order of `fields`; returns each numeric output, shape (n,)."""
