"""Tables as the matrices that libraries take."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.distribution import Floats, Kind
from core.errors import StepFailed

from ._verdicts import joined
from .protocols import Table


class Undecidable(Exception):
    """The rows do not allow a verdict; its text is the reason."""


class Arrays(NamedTuple):
    """Complete rows, shape (rows, fields); `coded` are the columns whose numbers stand for categories.

    `kept`, shape (rows of the window,): those that are complete. `note` says how many are not.
    """

    fields: tuple[str, ...]
    reference: Floats
    window: Floats
    coded: tuple[int, ...]
    kept: NDArray[np.bool_]
    note: str


def kind_of(column: NDArray[Any]) -> Kind:
    return "cat" if column.dtype == object else "num"


def arrays(reference: Table, window: Table, kinds: frozenset[Kind], fields: Sequence[str] = ()) -> Arrays:
    """Of `fields`, or of all of those kinds. Undecidable when there are none, or fewer than 2 complete rows."""
    chosen = tuple(fields) or tuple(sorted(n for n, column in window.columns.items() if kind_of(column) in kinds))
    if not chosen:
        raise Undecidable(f"window and reference share no {' or '.join(sorted(_WORDS[kind] for kind in kinds))}")
    refuse_missing(window, chosen)
    for name in chosen:
        if (kind := kind_of(window.columns[name])) not in kinds:
            raise StepFailed(f"field '{name}' holds {_WORDS[kind]}, which this detector does not take")
    pairs = [_numbers(reference.columns[name], window.columns[name]) for name in chosen]
    known, fresh = (np.stack(side, axis=1) for side in zip(*pairs, strict=True))
    coded = tuple(at for at, name in enumerate(chosen) if kind_of(window.columns[name]) == "cat")
    complete, kept = ~np.isnan(known).any(axis=1), ~np.isnan(fresh).any(axis=1)
    note = joined(left_out("reference", complete), left_out("window", kept))
    for side, held in (("reference", complete), ("window", kept)):
        if held.sum() < 2:
            raise Undecidable(f"the {side} has {held.sum()} complete rows of {len(held)}; at least 2 are needed")
    return Arrays(chosen, known[complete], fresh[kept], coded, kept, note)


def refuse_missing(table: Table, fields: Sequence[str]) -> None:
    if missing := [name for name in fields if name not in table.columns]:
        raise Undecidable(f"window and reference do not share the input {', '.join(missing)}")


_WORDS: dict[Kind, str] = {"num": "numbers", "cat": "categories"}


def _numbers(known: NDArray[Any], fresh: NDArray[Any]) -> tuple[Floats, Floats]:
    """Categories become the numbers of their order in the alphabet, NaN where one is missing."""
    if kind_of(fresh) == "num":
        return known, fresh
    names = sorted({name for side in (known, fresh) for name in side if name is not None})
    codes: dict[Any, float] = {name: float(at) for at, name in enumerate(names)} | {None: np.nan}
    return np.array([codes[name] for name in known]), np.array([codes[name] for name in fresh])


def left_out(side: str, complete: NDArray[np.bool_]) -> str:
    """A note for the reason, '' when no row was."""
    missing = int((~complete).sum())
    return f"{missing} of {len(complete)} rows of the {side} have missing values and were left out" if missing else ""
