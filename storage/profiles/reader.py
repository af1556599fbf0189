"""Windows read as merges of states: `storage.windows.cache.Reader` over the profiles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from storage.engine import Engine
from storage.profiles import window
from storage.profiles.cover import Cover, cover
from storage.profiles.edges import add_parts, add_totals
from storage.profiles.grains import Grain
from storage.profiles.window import Asked
from storage.windows.cache import DirectReader
from storage.windows.distributions import Field, Part, Totals
from storage.windows.relations import Relation, as_reference, of_window

# Categories that the states do not keep are told apart by nobody: where they are more of the rows, rows are counted.
MOST_OTHERS = 0.001


class ProfileReader:
    """Reads time windows that begin and end with a minute; everything else as DirectReader does.

    The states must be there: `Profiler.ready`. A window is always covered in the same way and merged in the same order,
    so that it gives the same bits. `since` says from when on the states of each grain are all there.
    """

    def __init__(self, engine: Engine, since: Callable[[], Mapping[Grain, datetime]]) -> None:
        self._engine, self._since = engine, since
        self._rows = DirectReader(engine)

    def totals(self, relation: Relation, segment: str) -> list[Totals]:
        if (found := self._cover(relation, segment)) is None:
            return self._rows.totals(relation, segment)
        edges = [self._rows.totals(edge, segment) for edge in _edges(found, relation)]
        return add_totals([window.totals(self._engine, found, relation, segment), *edges])

    def parts(
        self, relation: Relation, totals: Sequence[Totals], segment: str, only: Sequence[str] | None
    ) -> list[Part]:
        found = self._cover(relation, segment)
        if found is None:
            return self._rows.parts(relation, totals, segment, only)
        parts = window.parts(self._engine, found, Asked(relation, totals, segment, only))
        for edge in _edges(found, relation):
            rows = self._rows.parts(edge, self._rows.totals(edge, segment), segment, only)
            parts = add_parts(totals, parts, rows)
        return self._many_categories_counted(relation, segment, parts)

    def listing(self, relation: Relation, segment: str) -> dict[tuple[str, str], set[Field]]:
        if (found := self._cover(relation, segment)) is None:
            return self._rows.listing(relation, segment)
        fields = window.listing(self._engine, found, relation, segment)
        for edge in _edges(found, relation):
            for key, more in self._rows.listing(edge, segment).items():
                fields[key] = fields.get(key, set()) | more
        return fields

    def _cover(self, relation: Relation, segment: str) -> Cover | None:
        """None: this is for rows."""
        if relation.stretch is None:
            return None
        found = cover(self._engine, relation.stretch.model, relation.stretch.window, self._since())
        return found if found and found.has(segment) else None

    def _many_categories_counted(self, relation: Relation, segment: str, parts: list[Part]) -> list[Part]:
        """Fields of more categories than states keep, from the rows, as far as all these are still there."""
        many = {
            field
            for part in parts
            for field, found in part.fields.items()
            if field.kind == "cat" and (found.merged_error or 0.0) > MOST_OTHERS
        }
        if not many:
            return parts
        names = sorted({name for field in many for name in (field.name, field.name.removeprefix("outputs."))})
        counted = self._rows.parts(relation, self._rows.totals(relation, segment), segment, names)
        by_key = {(part.version, part.segment): part for part in counted if part.rows}
        return [_with(part, by_key.get((part.version, part.segment)), many) for part in parts]


def _edges(found: Cover, relation: Relation) -> list[Relation]:
    """Their rows, all versions as one where those of `relation` are."""
    edges = [of_window(found.model, edge) for edge in found.edges]
    apart = relation.stretch is None or relation.stretch.apart
    return edges if apart else [as_reference(edge) for edge in edges]


def _with(part: Part, counted: Part | None, fields: set[Field]) -> Part:
    if counted is None or counted.rows < part.rows:  # rows have been deleted since
        return part
    return replace(part, fields={**part.fields, **{f: d for f, d in counted.fields.items() if f in fields}})
