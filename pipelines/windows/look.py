"""A window beside its reference: what every step of a run looks at."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from core.distribution import Distribution
from storage.engine import Engine
from storage.windows.cache import Reader
from storage.windows.distributions import Field, Part, Totals
from storage.windows.relations import Relation

T = TypeVar("T")

# numpy sorts and searches without the interpreter's lock; more threads would take cores from the store.
THREADS = 2


class Side(NamedTuple):
    """The rows of a window or of a reference, and what reads them."""

    relation: Relation
    reader: Reader


class Sides(NamedTuple):
    """`expected`: names of fields that a window should have where the reference does, None = all. A data set may have
    columns that no prediction ever has."""

    window: Side
    reference: Side
    expected: Collection[str] | None = ()


class Pair(NamedTuple):
    """One version and segment of the window, and the same segment of the reference; None when it has none.

    `gone`: what is expected and no row of the window has under any kind, as missing.
    """

    window: Part
    reference: Part | None
    gone: Mapping[Field, Distribution] = MappingProxyType({})


class Fields(NamedTuple):
    """What one version and segment of the window holds in its `rows`, and what that segment of the reference holds;
    `gone` as in Pair."""

    version: str
    segment: str
    rows: int
    window: set[Field]
    reference: set[Field] | None
    gone: Set[Field] = frozenset()


class Look:
    """Reads both sides at once, and once for all steps unless they are too large to be kept.

    The reference is taken as a whole, whatever versions it has; the window by version, and by each tag in `segments`.
    """

    def __init__(self, engine: Engine, sides: Sides, segments: Sequence[str], most_cells: int) -> None:
        """`most_cells`: values that each side may hold in memory.

        `segments` begins with '', the whole; `chunks` are the names of fields that are read at once, None = all.
        """
        self.engine, (self.window, self.reference, self._expected) = engine, sides
        self.segments, self._most_cells = ("", *segments), most_cells
        self._totals = {segment: self._count(segment) for segment in self.segments}
        self.chunks = self._plan()
        self._kept: list[Pair] | None = None

    @property
    def window_rows(self) -> int:
        return sum(part.rows for part in self._totals[""][0])

    @property
    def reference_rows(self) -> int:
        return sum(part.rows for part in self._totals[""][1])

    @property
    def versions(self) -> list[str]:
        """Of the window; the largest ones."""
        return sorted(part.version for part in self._totals[""][0])

    def pairs(self) -> Iterator[list[Pair]]:
        """All pairs, some of the fields at a time."""
        for only in self.chunks:
            pairs = self._kept or [p for segment in self.segments for p in self._read(segment, only)]
            if len(self.chunks) == 1:
                self._kept = pairs
            yield pairs

    def fields(self) -> list[Fields]:
        """Which fields each pair has."""
        if len(self.chunks) == 1:
            (pairs,) = self.pairs()
            return [self._fields(w, set(w.fields), set(r.fields) if r else None) for w, r, _ in pairs]
        return [found for segment in self.segments for found in self._list(segment)]

    def _read(self, segment: str, only: Sequence[str] | None) -> list[Pair]:
        totals = self._totals[segment]
        window, reference = self._both(lambda side, at: side.reader.parts(side.relation, totals[at], segment, only))
        by_segment = {part.segment: part for part in reference}
        by_key = {(of.version, of.segment): of for of in totals[0]}
        return [self._pair(part, by_key[part.version, part.segment], by_segment.get(part.segment)) for part in window]

    def _pair(self, part: Part, of: Totals, reference: Part | None) -> Pair:
        gone = self._gone(part.fields, reference.fields if reference else ())
        return Pair(part, reference, missing_in(of, gone))

    def _gone(self, window: Collection[Field], reference: Collection[Field]) -> set[Field]:
        return {f for f in absent(window, reference) if self._expected is None or f.name in self._expected}

    def _fields(self, of: Part | Totals, window: set[Field], reference: set[Field] | None) -> Fields:
        return Fields(of.version, of.segment, of.rows, window, reference, self._gone(window, reference or ()))

    def _count(self, segment: str) -> tuple[list[Totals], list[Totals]]:
        return self._both(lambda side, _: side.reader.totals(side.relation, segment))

    def _list(self, segment: str) -> list[Fields]:
        window, reference = self._both(lambda side, _: side.reader.listing(side.relation, segment))
        by_segment = {key: fields for (_, key), fields in reference.items()}
        return [
            self._fields(w, window.get((w.version, w.segment), set()), by_segment.get(w.segment))
            for w in self._totals[segment][0]
        ]

    def _plan(self) -> list[list[str] | None]:
        """[None]: all fields at once; else names of fields, so many as fit."""
        sides = self._totals[""]
        cells = max(sum(sum(part.cells) for part in side) for side in sides) * len(self.segments)
        if cells <= self._most_cells:
            return [None]
        names = sorted({field.name.removeprefix("outputs.") for found in self._list("") for field in _all(found)})
        size = max(1, len(names) * self._most_cells // cells)
        chunks = [names[start : start + size] for start in range(0, len(names), size)]
        return [[*chunk, *(f"outputs.{name}" for name in chunk)] for chunk in chunks]

    def _both(self, read: Callable[[Side, int], T]) -> tuple[T, T]:
        with ThreadPoolExecutor(1) as other:
            reference = other.submit(read, self.reference, 1)
            return read(self.window, 0), reference.result()


def absent(window: Collection[Field], reference: Collection[Field]) -> set[Field]:
    """What the reference has and the window has under no kind."""
    names = {field.name for field in window}
    return {field for field in reference if field.name not in names}


def missing_in(of: Totals, fields: Iterable[Field]) -> dict[Field, Distribution]:
    """`fields` that no row has: missing in each that was answered; none where no row was."""
    return {field: nothing for field in fields if (nothing := of.without(field.kind))}


def completed(part: Part, gone: Mapping[Field, Distribution]) -> Part:
    return replace(part, fields={**part.fields, **gone}) if gone else part


def _all(fields: Fields) -> set[Field]:
    return fields.window | (fields.reference or set())
