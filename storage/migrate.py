"""Schema changes: numbered SQL files, each applied once, in order."""

from importlib.resources import files

from storage.engine import Engine
from storage.engines.statement import split

LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (name String, applied DateTime64(6, 'UTC') DEFAULT now64(6))
ENGINE = ReplacingMergeTree(applied) ORDER BY name
"""


def migrate(engine: Engine) -> list[str]:
    """Apply the files of storage/schema/ that this store has not seen; returns their names.

    Every statement must bear being run again (IF NOT EXISTS): a file is recorded after its last statement.
    """
    engine.command(LEDGER)
    applied = {row["name"] for row in engine.rows("SELECT name FROM schema_migrations")}
    missing = [name for name in migrations() if name not in applied]
    for name in missing:
        for statement in split(files("storage.schema").joinpath(name).read_text()):
            engine.command(statement)
        engine.command("INSERT INTO schema_migrations (name) SELECT {name:String}", {"name": name})
    return missing


def migrations() -> list[str]:
    """Names of all schema files, in the order of their numbers."""
    return sorted(f.name for f in files("storage.schema").iterdir() if f.name.endswith(".sql"))
