"""Reading parts from the store, and remembering those of references, which never change under their name and hash."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

from storage.engine import Engine
from storage.windows import distributions as windows
from storage.windows.distributions import Field, Part, Totals
from storage.windows.relations import Relation

# What is remembered of references: 12 fields of 1 M distinct values are 200 MB.
MOST_BYTES = 256 * 2**20
MOST_TOTALS = 1000  # numbers of a few hundred bytes a field: far more than the blocks of the references of a run


class Reader(Protocol):
    """Reads the rows of a relation; `storage.windows.distributions` says what."""

    def totals(self, relation: Relation, segment: str) -> list[Totals]: ...

    def parts(
        self, relation: Relation, totals: Sequence[Totals], segment: str, only: Sequence[str] | None
    ) -> list[Part]: ...

    def listing(self, relation: Relation, segment: str) -> dict[tuple[str, str], set[Field]]: ...


class DirectReader:
    """Reads `engine` each time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def totals(self, relation: Relation, segment: str) -> list[Totals]:
        return windows.totals(self._engine, relation, segment)

    def parts(
        self, relation: Relation, totals: Sequence[Totals], segment: str, only: Sequence[str] | None
    ) -> list[Part]:
        return windows.read(self._engine, relation, totals, segment, only)

    def listing(self, relation: Relation, segment: str) -> dict[tuple[str, str], set[Field]]:
        return windows.listing(self._engine, relation, segment)


class CachedReader:
    """Remembers what `reader` read; the least recently used parts go first when they exceed `most_bytes`."""

    def __init__(self, reader: Reader, most_bytes: int = MOST_BYTES) -> None:
        self._reader, self._most_bytes = reader, most_bytes
        self._totals: dict[tuple[object, ...], list[Totals]] = {}
        self._parts: OrderedDict[tuple[object, ...], list[Part]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def totals(self, relation: Relation, segment: str) -> list[Totals]:
        key = (*_key(relation), segment)
        with self._lock:
            if key not in self._totals:
                self._totals[key] = self._reader.totals(relation, segment)
                if len(self._totals) > MOST_TOTALS:
                    self._totals.pop(next(iter(self._totals)))  # the first one read
            return self._totals[key]

    def parts(
        self, relation: Relation, totals: Sequence[Totals], segment: str, only: Sequence[str] | None
    ) -> list[Part]:
        key = (*_key(relation), segment, None if only is None else tuple(only))
        with self._lock:
            if key not in self._parts:
                self._parts[key] = self._reader.parts(relation, totals, segment, only)
                self._bytes += _bytes(self._parts[key])
                self._forget()
            self._parts.move_to_end(key)
            return self._parts[key]

    def listing(self, relation: Relation, segment: str) -> dict[tuple[str, str], set[Field]]:
        return self._reader.listing(relation, segment)

    def _forget(self) -> None:
        while len(self._parts) > 1 and self._bytes > self._most_bytes:
            _, parts = self._parts.popitem(last=False)
            self._bytes -= _bytes(parts)


def _key(relation: Relation) -> tuple[object, ...]:
    return (relation.sql, *sorted(relation.params.items()))


def _bytes(parts: Sequence[Part]) -> int:
    found = [d for part in parts for d in part.fields.values()]
    return sum(d.values.nbytes + d.counts.nbytes * (1 if d.squares is None else 2) for d in found)
