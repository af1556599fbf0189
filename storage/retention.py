"""How long rows are kept: one TTL per table, set on the tables themselves and read back from them."""

import re
from collections.abc import Mapping

from core.errors import ConfigError
from storage.engine import Engine
from storage.profiles.grains import DAY, HOUR, KEPT_DAYS, MINUTE

# The column whose age counts.
TABLES = {
    "predictions": "time",
    "labels": "time",
    "halves": "received",
    "dead_letters": "received",
    "dead_letter_replays": "time",
    "scores": "time",
    "explanations": "time",
    "results": "window_end",
    "runs": "window_end",
    "reports": "time",
    MINUTE.table: "made",
    HOUR.table: "made",
    DAY.table: "made",
}
_TTL = re.compile(r"\bTTL toDateTime\(\w+\) \+ toIntervalDay\((\d+)\)")


def apply_retention(engine: Engine, days: Mapping[str, int]) -> None:
    """Keep each table's rows for `days[table]` days, and those of tables not named for ever, but for KEPT_DAYS.

    Changes only what differs. ConfigError as `check`.
    """
    check(days)
    current = retention(engine)
    for table, column in TABLES.items():
        wanted = {**KEPT_DAYS, **days}.get(table, 0)
        if wanted and wanted != current.get(table):
            engine.command(f"ALTER TABLE {table} MODIFY TTL toDateTime({column}) + INTERVAL {wanted:d} DAY")
        elif not wanted and table in current:
            engine.command(f"ALTER TABLE {table} REMOVE TTL")


def check(days: Mapping[str, int]) -> None:
    """ConfigError for a table that has no retention, or less than a day."""
    for table, wanted in days.items():
        if table not in TABLES or wanted < 1:
            raise ConfigError(f"retention: {table}: {wanted}; wanted are whole days for any of {', '.join(TABLES)}")


def retention(engine: Engine) -> dict[str, int]:
    """Days by table, of those tables that have any, as the store itself says."""
    sql = "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
    found = {row["name"]: _TTL.search(row["engine_full"]) for row in engine.rows(sql)}
    return {table: int(match[1]) for table, match in found.items() if match}
