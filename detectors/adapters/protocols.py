"""What an adapter takes and gives: rows by column in, the library's verdicts out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from numpy.typing import NDArray

from core.distribution import Floats
from core.findings import FindingKind, Score


@dataclass(frozen=True, eq=False)
class Table:
    """Rows by field, each of shape (rows,): float64 with NaN = missing, or str objects with None = missing."""

    columns: Mapping[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values()), ()))


class Verdict(NamedTuple):
    """Of one field, '' = whole rows."""

    field: str
    score: Score


@dataclass(frozen=True)
class Examined:
    """`scores` of the window's rows, shape (rows,), NaN = not scored: a row above `threshold` is an outlier.

    `html` is the library's own report; `constant` are those long parts of it that are the same in every report.
    """

    verdicts: Sequence[Verdict]
    kind: FindingKind = "drift"
    scores: Floats | None = None
    threshold: float = 0.0
    html: str = ""
    constant: Sequence[str] = ()


@runtime_checkable
class TableDetector(Protocol):
    """Compares the rows of a window with those of a reference, in a worker process.

    `fields`: the only ones it takes, in this order; empty = all. `rows`: how many of each side, at most.
    """

    @property
    def fields(self) -> Sequence[str]: ...

    @property
    def rows(self) -> int: ...

    def examine(self, reference: Table, window: Table, alpha: float) -> Examined:
        """Both have the same fields; the window's rows are in the order they were received.

        `alpha` is for verdicts that the library leaves open; it decides the others by its own options. StepFailed
        when the library is missing; what the library raises passes.
        """
