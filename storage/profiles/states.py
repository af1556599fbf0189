"""States as the store gives them: arrays of all of them end to end, and which of these belong together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.distribution import Floats
from storage.engine import Engine, Params

COLUMNS = "values, counts::Array(Float64) AS counts, categories, rows, weight, error"


# A name of the table's own would stand for the new value in all of the SELECT.
THINNED = "some AS values, counts, categories, rows, weight, off AS error"


def thinned(most: int) -> str:
    """COLUMNS, as THINNED names them, with at most so many order statistics of each state: middles of equal shares."""
    many = f"empty(counts) AND length(values) > {most:d}"
    picked = f"arrayMap(i -> values[intDiv((2 * i + 1) * length(values), {2 * most:d}) + 1], range({most:d}))"
    return (
        f"if({many}, {picked}, values) AS some, counts::Array(Float64) AS counts, categories, rows, weight,"
        f" error + if({many}, {0.5 / most}, 0) AS off"
    )


def held(most: int) -> str:
    """How many values and categories a state gives with `thinned`."""
    return f"if(empty(counts), least(length(values), {most:d}), length(values)) + length(categories)"


class Select(NamedTuple):
    sql: str
    params: Params


class Group(NamedTuple):
    """States of one key, in the order they were asked for: rows `start` to `end` of the table."""

    key: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True)
class States:
    """Columns of states; `offsets` say where each state's numbers begin in `values` and `counts`, (states + 1,)."""

    table: pa.Table
    values: Floats
    counts: Floats
    offsets: NDArray[np.int64]

    def column(self, name: str, group: Group) -> NDArray[Any]:
        return _numpy(self.table.column(name).chunk(0))[group.start : group.end]

    def numbers(self, group: Group) -> tuple[Floats, Floats, Floats]:
        """Values, counts without weights, and the weight of each, in no order."""
        inside = slice(self.offsets[group.start], self.offsets[group.end])
        lengths = np.diff(self.offsets[group.start : group.end + 1])
        return self.values[inside], self.counts[inside], np.repeat(self.column("weight", group), lengths)

    def categories(self, group: Group) -> Iterator[tuple[str, float, float]]:
        """Category, count without weight, and weight."""
        texts, counts = self.table.column("categories").chunk(0), self.table.column("counts").chunk(0)
        for at, weight in zip(range(group.start, group.end), self.column("weight", group).tolist(), strict=True):
            names = texts[at].as_py()
            yield from ((name, n, weight) for name, n in zip(names, counts[at].as_py(), strict=True))

    def rests(self, group: Group) -> list[float]:
        """Rows of each state whose category it does not keep."""
        counts = self.table.column("counts").chunk(0)
        kept = [sum(counts[at].as_py()) for at in range(group.start, group.end)]
        return [rows - count for rows, count in zip(self.column("rows", group).tolist(), kept, strict=True)]


def read(engine: Engine, order: Sequence[str], keys: int, selected: Select) -> tuple[States, list[Group]]:
    """The states that a SELECT gives, with the columns COLUMNS and those of `order`, by which they are put into order.

    States that have the first so many `keys` of these in common belong together. Arrow orders the keys and moves the
    arrays once; ORDER BY takes twice the time.
    """
    table = engine.arrow(*selected).combine_chunks()
    if not table.num_rows:
        return States(table, np.empty(0), np.empty(0), np.zeros(1, np.int64)), []
    table = table.take(pc.sort_indices(table, [(name, "ascending") for name in order])).combine_chunks()
    values, counts = (table.column(name).chunk(0) for name in ("values", "counts"))
    offsets = _offsets(values)
    states = States(table, _numpy(values.flatten()), _shares(table, offsets, counts), offsets)
    return states, list(_groups(table, order[:keys]))


def _shares(table: pa.Table, offsets: NDArray[np.int64], counts: pa.ListArray) -> Floats:
    """How many rows each value stands for: its count, or an equal share."""
    lengths = np.diff(offsets)
    rows = _numpy(table.column("rows").chunk(0)).astype(np.float64)
    shares = np.repeat(rows / np.maximum(lengths, 1), lengths)
    counted = (np.diff(_offsets(counts)) > 0) & (lengths > 0)
    if counted.any():
        known = np.repeat(np.diff(_offsets(counts)) * counted, np.diff(_offsets(counts))) > 0
        shares[np.repeat(counted, lengths)] = _numpy(counts.flatten())[known]
    return shares


def _groups(table: pa.Table, keys: Sequence[str]) -> Iterator[Group]:
    rows = zip(*(table.column(key).to_pylist() for key in keys), strict=True)
    start = 0
    for key, members in groupby(rows):
        end = start + sum(1 for _ in members)
        yield Group(key, start, end)
        start = end


def _offsets(lists: pa.ListArray) -> NDArray[np.int64]:
    offsets = _numpy(lists.offsets).astype(np.int64)
    since: NDArray[np.int64] = offsets - offsets[0]
    return since


def _numpy(array: pa.Array) -> NDArray[Any]:
    return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
