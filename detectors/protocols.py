"""What a detector is. Members are frozen dataclasses whose fields are their options; they inherit nothing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.contract import Contract, Held
from core.distribution import Distribution, Floats, Kind
from core.findings import Score

Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


# Probabilities at which tests of whole rows tell the thresholds of their law: its body, then its tail.
LAW_AT = (0.9, 0.7, 0.5, 0.3, 0.1, 1e-3, 1e-6)

NO_LAW: Floats = np.empty(0)


@runtime_checkable
class FieldDetector(Protocol):
    """Compares one field of a window with the reference. `heavy` ones import slowly and run in a worker process."""

    kinds: ClassVar[frozenset[Kind]]
    heavy: ClassVar[bool]

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        """A pure function that never raises; what cannot be decided is a Score of None with a reason.

        `alpha` is the probability of a false alarm allowed for this one comparison, 0..1, corrections for several
        fields already made. The score is above the threshold exactly when the p-value is below alpha; a threshold
        given as an option comes without a p-value.
        """


@runtime_checkable
class ContractDetector(FieldDetector, Protocol):
    """A FieldDetector that also looks at what the field is declared to be; `compare` is `check` without that."""

    def check(self, contract: Contract, reference: Held, window: Held, alpha: float) -> Score:
        """As `compare`, of a field under all the kinds that rows hold it under.

        What is declared allows no exception: any row beyond it fires, with a p-value of 0, else it is 1.
        """


@runtime_checkable
class MissingDetector(FieldDetector, Protocol):
    """A FieldDetector of what is missing: it is given the fields, too, that no row of the window has."""

    of_missing: ClassVar[bool]


@dataclass(frozen=True)
class RowScores:
    """`scores` of the window's rows, shape (rows,): a row above `threshold` is an outlier. `verdict`: the window's.

    Where nothing can be decided (`verdict.score` is None) the scores are NaN and the threshold is infinite. `law`: the
    thresholds of the verdict at LAW_AT, empty where it has none.
    """

    scores: Floats
    threshold: float
    verdict: Score
    law: Floats = field(default_factory=NO_LAW.copy)


@runtime_checkable
class RowDetector(Protocol):
    """Scores whole rows of a window against the rows of the reference."""

    heavy: ClassVar[bool]

    def score(self, reference: Floats, window: Floats, alpha: float, counted: Bools | None = None) -> RowScores:
        """Both of shape (rows, fields), NaN = missing; a pure function that never raises.

        `counted`, shape (rows,): the rows of the window that the verdict is of, None = all; the others are only scored.

        The verdict's score is the share of outliers among the rows counted, its p-value and threshold are for more
        outliers than rows like the reference's would have, with `alpha` as in `FieldDetector`.
        """


@dataclass(frozen=True)
class JointScore:
    """`verdict` on all fields of a window together. `contributions`, shape (fields,): what share of a verdict that
    fired each field has, all together 1; all 0 where nothing fired or no field explains it. `law`: the verdict's
    thresholds at LAW_AT, empty where it has none; no score is above `most`."""

    verdict: Score
    contributions: Floats
    law: Floats = field(default_factory=NO_LAW.copy)
    most: float = math.inf


@runtime_checkable
class JointDetector(Protocol):
    """Compares the rows of a window with those of the reference, in all fields at once."""

    heavy: ClassVar[bool]

    def compare_rows(
        self, reference: Floats, window: Floats, alpha: float, fields: Indices | None = None
    ) -> JointScore:
        """Both of shape (rows, columns), NaN = missing, rows of even weight; a pure function that never raises.

        `fields`, shape (columns,): the field each column belongs to, counted from 0; None = each is a field. `alpha`
        and the score as in `FieldDetector`.
        """


State = Mapping[str, Any]  # what JSON can hold, numbers included: read back it is the same to the last bit


@dataclass(frozen=True)
class StreamScores:
    """`scores`, shape (n,): the statistic after each value, NaN while it cannot be told. Above the detector's
    `threshold` is an alarm, after which the detector begins anew. `state` goes on from there."""

    state: State
    scores: Floats


@runtime_checkable
class StreamDetector(Protocol):
    """Watches values one after the other. What it remembers is its state: in one piece or in many, today or after a
    restart, the same values give the same scores."""

    feeds: ClassVar[Literal["values", "errors"]]

    @property
    def threshold(self) -> float:
        """A score above it is an alarm."""

    def start(self, reference: Distribution) -> State | str:
        """The state before the first value; a text says why there is none. Who feeds on errors needs no reference."""

    def update(self, state: State, values: Floats) -> StreamScores:
        """`values`, shape (n,), finite or infinite, never NaN; `errors` are 0 (right) or 1. Never raises."""
