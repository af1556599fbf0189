"""How long rows are kept: one TTL per table, set on the tables themselves and read back from them."""

import re

from core.config import Config
from core.errors import ConfigError
from core.options import nearest
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


def apply_retention(engine: Engine, config: Config) -> None:
    """Keep each table's rows for as many days as `config` says, and those of tables not named for ever, but for
    KEPT_DAYS.

    Changes only what differs. ConfigError for a table that has no retention.
    """
    if found := mistakes(config):
        raise ConfigError("\n".join(found))
    current = retention(engine)
    for table, column in TABLES.items():
        wanted = {**KEPT_DAYS, **config.retention}.get(table, 0)
        if wanted and wanted != current.get(table):
            engine.command(f"ALTER TABLE {table} MODIFY TTL toDateTime({column}) + INTERVAL {wanted:d} DAY")
        elif not wanted and table in current:
            engine.command(f"ALTER TABLE {table} REMOVE TTL")


def mistakes(config: Config) -> list[str]:
    """One line for each table that has no retention."""
    wrong = {table: config.written.place("retention", table) for table in config.retention if table not in TABLES}
    return [f"{at}: no table of this name is kept for a time; {nearest(table, TABLES)}" for table, at in wrong.items()]


def retention(engine: Engine) -> dict[str, int]:
    """Days by table, of those tables that have any, as the store itself says."""
    sql = "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
    found = {row["name"]: _TTL.search(row["engine_full"]) for row in engine.rows(sql)}
    return {table: int(match[1]) for table, match in found.items() if match}
