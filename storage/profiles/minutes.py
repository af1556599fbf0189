"""The states of minutes, made where the rows are: one GROUP BY for each map.

Numbers are gathered and sorted, so that everything computed from them, sums too, is the same bits in whatever order the
rows came. Sorting 12 M values and picking takes half the time of `quantilesExactLow`, which gives the same ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from storage.engine import Engine
from storage.profiles.grains import CATEGORY_BYTES, MINUTE, MOST_CATEGORIES
from storage.profiles.tally import MINUTES, Batch, Tally
from storage.windows.relations import PREDICTION_MAPS, FieldMap

# Values that one statement holds in memory: 160 MB of float64, sorted in place.
MOST_CELLS = 20_000_000

# Different values that are kept with their counts: of no more bytes than 256 without.
FEW = 224

_KEYS = ("start", "of_namespace", "of_model", "of_version", "of_weight", "of_segment")
_STATE = (
    "namespace, model, start, revision, version, segment, role, kind, field, weight, rows, missing, different, mean,"
    " variance, min, max, values, categories, counts, rest, error"
)
# The row (from 0) of each share's middle, and the last row (from 1) of each different value.
_MIDDLES = f"arrayMap(i -> intDiv((2 * i + 1) * known, {2 * MINUTE.values}) + 1, range({MINUTE.values}))"
_ENDS = "arrayFilter((i, x, y) -> x != y, arrayEnumerate(sorted), sorted, arrayPushBack(arrayPopFront(sorted), nan))"
_FEW_VALUES = f"known <= {MINUTE.values} OR different <= {FEW}"
_NUMBERS = f"""
    length(sorted) AS known, length(arrayCompact(sorted)) AS different, arrayAvg(sorted) AS mean,
    arrayReduce('varPopStable', sorted) AS variance, sorted[1] AS min, sorted[-1] AS max,
    multiIf(known <= {MINUTE.values}, sorted, different <= {FEW}, arrayCompact(sorted),
        arrayMap(i -> sorted[i], {_MIDDLES})) AS values,
    []::Array(String) AS categories,
    if(known <= {MINUTE.values} OR different > {FEW}, [], arrayDifference(arrayPushFront({_ENDS}, 0))) AS ends,
    arrayPopFront(ends) AS counts, 0 AS rest, if({_FEW_VALUES}, 0, {MINUTE.error}) AS error
"""
_CATEGORIES = f"""
    sum(count) AS known, count() AS different, nan AS mean, nan AS variance, nan AS min, nan AS max,
    []::Array(Float64) AS values,
    groupArraySorted({MOST_CATEGORIES[MINUTE]})((-toInt64(count), value)) AS frequent,
    arrayFilter((x, bytes) -> bytes <= {CATEGORY_BYTES[MINUTE]}, frequent,
        arrayCumSum(x -> length(x.2) + 12, frequent)) AS kept,
    kept.2 AS categories, arrayMap(x -> toUInt32(-x.1), kept) AS counts, known - arraySum(counts) AS rest,
    rest / known AS error
"""


@dataclass(frozen=True)
class Making:
    """Minutes whose states are to be made under one `revision`, all with the segments of the same tags."""

    batch: Batch
    revision: int
    tallies: Sequence[Tally]

    @property
    def keys(self) -> tuple[str, ...]:
        """Those of _KEYS that have to be told apart: to group by one key takes half the time that it takes by six."""
        apart = any(tally.apart for tally in self.tallies)
        used = {
            "start": True,
            **dict.fromkeys(("of_namespace", "of_model"), not self.batch.one_model),
            **dict.fromkeys(("of_version", "of_weight"), apart),
            "of_segment": bool(self.batch.keys),
        }
        return tuple(key for key in _KEYS if used[key])

    @property
    def columns(self) -> str:
        """All of _KEYS, beside GROUP BY `keys`."""
        return ", ".join(key if key in self.keys else f"any({key}) AS {key}" for key in _KEYS)


def make(engine: Engine, making: Making) -> None:
    """Insert the states of all fields, some at a time where one statement cannot hold them, and of whole rows last."""
    wide = not making.tallies[0].kept
    for at, source in enumerate(PREDICTION_MAPS):
        cells = sum(tally.cells[at] for tally in making.tallies) * (1 + len(making.batch.keys))
        count = 0 if wide or not cells else -(-cells // MOST_CELLS)
        for piece in range(count):
            engine.command(_states(making, source), {**_params(making), "pieces": count, "piece": piece})
    engine.command(_rows(making.batch, wide), _params(making))


def pieces(fresh: Sequence[Tally]) -> Iterator[list[Tally]]:
    """Of the same segments, and of no more values than one statement should have, unless one minute has more."""
    for _, members in groupby(sorted(fresh, key=lambda t: t.kept), key=lambda t: t.kept):
        some: list[Tally] = []
        cells = 0
        for tally in members:
            cells += sum(tally.cells)
            if some and cells > MOST_CELLS:
                yield some
                some, cells = [], sum(tally.cells)
            some.append(tally)
        yield some


def _params(making: Making) -> dict[str, object]:
    return {
        **making.batch.params,
        "revision": making.revision,
        "kept": list(making.tallies[0].kept),
        "contents": [tally.content for tally in making.tallies],
    }


def _relation(batch: Batch, columns: str, only_ok: bool = False) -> str:
    """The rows of a batch, once for each segment they belong to."""
    keys = "arrayFilter(k -> k != '' AND mapContains(tags, k), {kept:Array(String)})"
    names = f"arrayJoin(arrayConcat([''], arrayMap(k -> concat(k, '=', tags[k]), {keys})))" if batch.keys else "''"
    return (
        "(SELECT namespace AS of_namespace, model AS of_model, toStartOfMinute(time) AS start,"
        f" version AS of_version, weight AS of_weight, {names} AS of_segment,"
        f" {columns} FROM predictions FINAL WHERE {batch.where} {'AND status < 400' if only_ok else ''})"
    )


def _states(making: Making, source: FieldMap) -> str:
    """INSERT of the states of one map's fields; `missing`: rows of the same version, segment and weight without."""
    only_ok = source.role == "output"
    keys = ", ".join(making.keys)
    totals = f"SELECT {keys}, count() AS total FROM {_relation(making.batch, 'status', only_ok)} GROUP BY {keys}"
    return (
        f"INSERT INTO {MINUTE.table} ({_STATE}) SELECT of_namespace, of_model, start, {{revision:UInt64}}, of_version,"
        f" of_segment, '{source.role}', '{source.kind}', field, of_weight, known, total - known, different, mean,"
        f" variance, min, max, values, categories, counts, rest, error"
        f" FROM ({_of_fields(making, source)}) AS states ANY LEFT JOIN ({totals}) AS totals USING ({keys})"
    )


def _of_fields(making: Making, source: FieldMap) -> str:
    keys, all_keys = ", ".join(making.keys), ", ".join(_KEYS)
    rows = (
        f"{_relation(making.batch, source.column, source.role == 'output')}"
        f" ARRAY JOIN mapKeys({source.column}) AS field, mapValues({source.column}) AS value"
        " WHERE cityHash64(field) % {pieces:UInt64} = {piece:UInt64}"
    )
    if source.kind == "num":
        gathered = f"SELECT {making.columns}, field, arraySort(groupArray(value + 0.)) AS sorted FROM {rows}"
        gathered += f" AND NOT isNaN(value) GROUP BY {keys}, field"
        return f"SELECT {all_keys}, field, {_NUMBERS} FROM ({gathered})"
    counted = f"SELECT {making.columns}, field, value, count() AS count FROM {rows} GROUP BY {keys}, field, value"
    return f"SELECT {making.columns}, field, {_CATEGORIES} FROM ({counted}) GROUP BY {keys}, field"


def _rows(batch: Batch, wide: bool) -> str:
    """INSERT of how many rows there are; of minutes that are too `wide`, no more than that."""
    keys = "of_namespace, of_model, start" if wide else ", ".join(_KEYS)
    apart = "'', '', 1." if wide else "of_version, of_segment, of_weight"
    minute = f"indexOf({{minutes:{MINUTES}}}, (of_namespace, of_model, start))"
    return (
        f"INSERT INTO {MINUTE.table} (namespace, model, start, version, segment, weight, revision, rows, missing,"
        f" content, segments) SELECT of_namespace, of_model, start, {apart}, {{revision:UInt64}}, count(),"
        f" countIf(status >= 400), {{contents:Array(UInt64)}}[{minute}], {{kept:Array(String)}}"
        f" FROM {_relation(batch, 'status')} GROUP BY {keys}"
    )
