"""`tidemark migrate`: the store's tables up to date, kept for as long as the configuration says."""

from argparse import Namespace
from pathlib import Path

import orjson

from core.config import load
from storage import open_engine
from storage.migrate import migrate
from storage.retention import apply_retention, retention


def run(arguments: Namespace) -> int:
    config = load(arguments.config)
    engine = open_engine(arguments.store)
    try:
        applied = migrate(engine)
        if arguments.config or Path("tidemark.yaml").exists():  # without one nobody has said how long to keep what
            apply_retention(engine, config)
        days = retention(engine)
    finally:
        engine.close()
    if arguments.json:
        print(orjson.dumps({"store": engine.url, "applied": applied, "retention_days": days}).decode())
        return 0
    print(f"{engine.url}: " + (f"applied {', '.join(applied)}" if applied else "already up to date"))
    for table, kept in sorted(days.items()):
        print(f"  {table} is kept for {kept} days")
    return 0
