"""Where rooms that do not know each other meet; wired together in `tidemark/`."""

from collections.abc import Awaitable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from core.distribution import Floats
from core.records import DeadLetter, FieldInfo, Half, HalfId, RequestKey


class Sink(Protocol):
    """Takes what collectors accept. A call returns when the rows are stored, or raises StoreError."""

    def store(self, predictions: pa.RecordBatch) -> None:
        """Store rows of the schema `core.records.PREDICTIONS`."""

    def store_labels(self, labels: pa.RecordBatch) -> None:
        """Store rows of the schema `core.records.LABELS`."""

    def store_fields(self, fields: Iterable[FieldInfo]) -> None: ...

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None: ...

    def store_ledger(self, collector: str, entries: Sequence[Mapping[str, Any]]) -> None:
        """The newest count of each line of a collector's ledger; those it had before are replaced."""

    def newest(self, rows: int) -> pa.Table:
        """The predictions received last: namespace, model, id, content, received; at most so many."""


Position = tuple[int, int]  # a place in the journal: the end of a frame; later frames have greater ones
START: Position = (0, 0)


class Journal(Protocol):
    """The log in front of the store: what is in it survives a crash, until it is trimmed."""

    @property
    def identity(self) -> str:
        """Told apart from every other log by this."""

    @property
    def limit_bytes(self) -> int:
        """How much it may hold."""

    @property
    def waiting_bytes(self) -> int:
        """What it holds and nobody has trimmed."""

    @property
    def newest(self) -> Position:
        """The end of the last frame."""

    @property
    def trimmed(self) -> Position:
        """Where the last trim was: the start for those who read."""

    @property
    def note(self) -> bytes:
        """What was noted at the last trim, empty before the first."""

    def append(self, frame: bytes) -> Awaitable[Position]:
        """Done once the frame is on disk; of several the calls end in the order of the log.

        Overloaded when the log is full or the disk refuses, Rejected for a frame too large for it.
        """

    def read(self, after: Position) -> Iterator[tuple[Position, bytes]]:
        """The frames after a position, in order, each with its own, until there are no more."""

    def trim(self, position: Position, note: bytes) -> None:
        """Forget everything up to `position`, and keep `note` in its place."""


class HalfStore(Protocol):
    """Where halves wait whose other half has not come: any collector over the same store finds them."""

    def keep(self, halves: Sequence[Half]) -> None:
        """One that is completed stays so, whoever keeps it again."""

    def kept(self, keys: Collection[RequestKey]) -> list[Half]:
        """Those kept under `keys` and not completed; their payloads are empty: decode `body` again."""

    def complete(self, halves: Sequence[Half]) -> None:
        """Mark halves whose other half came."""

    def predicted(self, ids: Collection[RequestKey]) -> Sequence[Mapping[str, Any]]:
        """The stored predictions of these ids, rows of several included: not the ids of their requests."""

    def left(self, since: int) -> Sequence[HalfId]:
        """Those kept by this collector, received at `since` (microseconds) or later, and not completed."""


class Known(NamedTuple):
    """The models in which an id is that of a prediction, and in which it is that of a request of several rows."""

    predictions: frozenset[str]
    requests: frozenset[str]


class Ids(Protocol):
    """Which ids are stored."""

    def known(self, namespace: str, ids: Collection[str]) -> Mapping[str, Known]:
        """What there is under each of `ids`. StoreError when the store is away."""


class Predict(Protocol):
    """Calls a model where it lives."""

    def __call__(self, rows: Floats, fields: Sequence[str]) -> Mapping[str, Floats]:
        """`rows` has shape (n, fields), in the order of `fields`; returns each numeric output, shape (n,)."""
