"""`tidemark check FILE`: is the configuration right, and does what it names exist?"""

import sys
from argparse import Namespace
from pathlib import Path

import orjson

from core.config import Config, load
from core.config.masking import read_key
from core.errors import ConfigError, StoreError
from pipelines.check import problems
from storage import exists, open_engine


def run(arguments: Namespace) -> int:
    """Exit code 1 when there is anything to mend, one line each."""
    path = arguments.file or Path("tidemark.yaml")
    try:
        config = load(path)
        read_key(config.masking)
        found = _problems(config, arguments.store)
    except ConfigError as error:
        config, found = Config(), str(error).splitlines()
    if arguments.json:
        print(orjson.dumps({"file": str(path), "problems": found}).decode())
    else:
        for line in found:
            print(line, file=sys.stderr)
        if not found:
            print(f"{path}: {len(config.monitors)} monitors, {len(config.taps)} taps: nothing to mend")
    return 1 if found else 0


def _problems(config: Config, store: str) -> list[str]:
    """Against what the store knows too, when there is one."""
    if not exists(store):
        return problems(config, None)
    try:
        engine = open_engine(store)
    except StoreError as error:
        print(f"the store cannot be asked: {error}", file=sys.stderr)
        return problems(config, None)
    try:
        return problems(config, engine)
    finally:
        engine.close()
