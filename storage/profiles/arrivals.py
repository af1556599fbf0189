"""Which minutes have rows that the profiles do not know yet.

`received` cannot tell: a row is stamped before it is inserted, and may wait for the store for hours. The table can: it
numbers its inserts in the order in which they become visible, and a part's name says the largest number in it, whatever
it was merged from. So each partition has one number up to which everything is known. A merge of new and known parts
makes known minutes look new: what is in them is then compared, see `tally`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from core.records import ModelKey
from storage.engine import Engine

_BLOCK = "toUInt64(splitByChar('_', _part)[3])"


class Minute(NamedTuple):
    """The minute of a model that begins at `start`."""

    model: ModelKey
    start: datetime


class Arrivals:
    """Minutes to look at, partition by partition (each a day, `20261101`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._table = _identity(engine)
        self._known = _progress(engine, self._table)
        self._noted = dict(self._known)

    def partitions(self) -> Mapping[str, int]:
        """Those with rows that nobody has looked at, the newest day first, and the number of their newest insert."""
        rows = self._engine.rows(
            "SELECT partition_id AS day, max(max_block_number) AS block FROM system.parts"
            " WHERE database = currentDatabase() AND table = 'predictions' AND active GROUP BY day ORDER BY day DESC"
        )
        return {row["day"]: row["block"] for row in rows if row["block"] > self._known.get(row["day"], 0)}

    def take(self, day: str, block: int) -> list[Minute]:
        """The minutes that have new rows, or may have; `block` is what `partitions` said.

        What is taken and what counts as known come from one look at the table, so that nothing slips in between.
        """
        rows = self._engine.rows(
            f"SELECT namespace, model, toDateTime64(toStartOfMinute(time), 6, 'UTC') AS start, max({_BLOCK}) AS block"
            " FROM predictions"
            f" WHERE _partition_id = {{day:String}} AND {_BLOCK} > {{known:UInt64}} GROUP BY namespace, model, start",
            {"day": day, "known": self._known.get(day, 0)},
        )
        self._known[day] = max((row["block"] for row in rows), default=block)  # all gone: merged away or expired
        return [Minute(ModelKey(row["namespace"], row["model"]), row["start"]) for row in rows]

    def known(self, day: str) -> int:
        """The number up to which the partition's inserts have been taken."""
        return self._known.get(day, 0)

    def note(self, day: str, block: int) -> None:
        """After a restart begin behind this insert of the partition: all minutes it came with have their states."""
        if block > self._noted.get(day, 0):
            row = {"partition": [day], "predictions": [self._table], "block": pa.array([block], pa.uint64())}
            self._engine.insert("profile_progress", pa.table(row))
            self._noted[day] = block


def _identity(engine: Engine) -> str:
    sql = "SELECT toString(uuid) AS id FROM system.tables WHERE database = currentDatabase() AND name = 'predictions'"
    (row,) = engine.rows(sql)
    return str(row["id"])


def _progress(engine: Engine, table: str) -> dict[str, int]:
    sql = "SELECT partition, block FROM profile_progress FINAL WHERE predictions = {table:String}"
    return {row["partition"]: row["block"] for row in engine.rows(sql, {"table": table})}
