"""What the rows of some minutes are, before their states are made: how many, which, and whether they are known already.

A minute's `content` is a sum of hashes of what its states are made of: the same rows give the same, in whatever order
and however often they came. It is taken before the states are made: rows that come in between make it differ later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.records import ModelKey
from storage.engine import Engine
from storage.profiles.arrivals import Minute
from storage.profiles.grains import MINUTE
from storage.windows.relations import PREDICTION_MAPS

# Senders choose versions and tags. A minute with more versions (times weights) has no states, one with more values of a
# tag none of that tag's segments; windows over it are counted from rows.
MOST_VERSIONS = 100
MOST_SEGMENTS = 50

MINUTES = "Array(Tuple(String, String, DateTime('UTC')))"


@dataclass(frozen=True)
class Batch:
    """Minutes of one day, of models whose segments are of the same tags `keys`."""

    minutes: Sequence[Minute]
    keys: tuple[str, ...]

    @property
    def where(self) -> str:
        """A condition on `predictions`."""
        names = "namespace IN {namespaces:Array(String)} AND model IN {models:Array(String)}"
        if self.one_model:
            names = "namespace = {namespaces:Array(String)}[1] AND model = {models:Array(String)}[1]"
        exactly = "toStartOfMinute(time) IN {starts:Array(DateTime('UTC'))}"
        if not self.one_model:
            exactly = f"(namespace, model, toStartOfMinute(time)) IN {{minutes:{MINUTES}}}"
        span = "time >= {first:DateTime64(6, 'UTC')} AND time < {end:DateTime64(6, 'UTC')}"
        return f"{names} AND {span} AND {exactly}"

    @property
    def params(self) -> dict[str, Any]:
        starts = sorted({minute.start for minute in self.minutes})
        return {
            "namespaces": sorted({minute.model.namespace for minute in self.minutes}),
            "models": sorted({minute.model.model for minute in self.minutes}),
            "starts": [seconds(start) for start in starts],
            "minutes": [(*minute.model, seconds(minute.start)) for minute in self.minutes],
            "first": starts[0],
            "end": starts[-1] + MINUTE.length,
            "keys": list(self.keys),
        }

    @property
    def one_model(self) -> bool:
        return len({minute.model for minute in self.minutes}) == 1


@dataclass(frozen=True)
class Tally:
    """A minute's rows. `cells`: values in each of PREDICTION_MAPS. `revision`: of its states, 0 when it has none.

    `apart`: they are of more than one version or weight.
    """

    minute: Minute
    rows: int
    cells: tuple[int, ...]
    content: int
    kept: tuple[str, ...]
    revision: int
    known: bool
    apart: bool


def tallies(engine: Engine, batch: Batch) -> list[Tally]:
    """Those of the minutes that have any rows, oldest first. `kept` are '' and the keys whose segments have states."""
    cells = ", ".join(f"sum({source.column}.size0)" for source in PREDICTION_MAPS)
    tags = ", ".join(f"tags[{{keys:Array(String)}}[{at + 1}]]" for at in range(len(batch.keys)))
    hashed = "id, content, version, status < 400, weight" + (f", {tags}" if tags else "")
    counted = ", ".join(f"uniqUpTo({MOST_SEGMENTS})({tag})" for tag in tags.split(", ") if tag)
    found = engine.rows(
        "SELECT namespace, model, toDateTime64(toStartOfMinute(time), 6, 'UTC') AS start, count() AS rows,"
        f" [{cells}] AS cells, sum(cityHash64({hashed})) AS content,"
        f" uniqUpTo({MOST_VERSIONS})(version, weight) AS versions, [{counted}]::Array(UInt64) AS segments"
        f" FROM predictions FINAL WHERE {batch.where}"
        " GROUP BY namespace, model, start ORDER BY start, namespace, model",
        batch.params,
    )
    stored = _stored(engine, batch)
    return [_tally(row, batch.keys, stored) for row in found]


def _stored(engine: Engine, batch: Batch) -> dict[Minute, tuple[int, int]]:
    """Revision and content of the newest states of each minute."""
    rows = engine.rows(
        "SELECT namespace, model, toDateTime64(start, 6, 'UTC') AS at, max(revision) AS newest,"
        f" argMax(content, revision) AS content FROM {MINUTE.table} WHERE role = ''"
        " AND namespace IN {namespaces:Array(String)} AND model IN {models:Array(String)}"
        " AND start IN {starts:Array(DateTime('UTC'))} GROUP BY namespace, model, start",
        batch.params,
    )
    return {Minute(ModelKey(r["namespace"], r["model"]), r["at"]): (r["newest"], r["content"]) for r in rows}


def _tally(row: Mapping[str, Any], keys: Sequence[str], stored: Mapping[Minute, tuple[int, int]]) -> Tally:
    minute = Minute(ModelKey(row["namespace"], row["model"]), row["start"])
    revision, content = stored.get(minute, (0, None))
    few = row["versions"] <= MOST_VERSIONS
    kept = ["", *(k for k, n in zip(keys, row["segments"], strict=True) if n <= MOST_SEGMENTS)] if few else []
    known = revision > 0 and content == row["content"]
    apart = row["versions"] > 1
    return Tally(minute, row["rows"], tuple(row["cells"]), row["content"], tuple(kept), revision, known, apart)


def seconds(moment: datetime) -> str:
    """As ClickHouse reads it where it wants no fractions: `2026-11-01 12:00:00`."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def newest_revision(engine: Engine) -> int:
    """The highest one of any minute's profile."""
    (row,) = engine.rows(f"SELECT max(revision) AS newest FROM {MINUTE.table} WHERE role = ''")
    return int(row["newest"])
