"""`tidemark reference add NAME FILE`, or `--model M --from T --to T`; `tidemark reference list`."""

from argparse import Namespace
from datetime import datetime

import orjson

from core.config import Config, DatasetConfig, load, model_key
from core.errors import ConfigError
from core.findings import Window
from core.times import from_micros, micros
from storage import open_engine
from storage.engine import Engine
from storage.migrate import migrate
from storage.windows.references import ReferenceVersion, add_file, add_window, versions


def run(arguments: Namespace) -> int:
    config = load(arguments.config)
    engine = open_engine(arguments.store)
    try:
        migrate(engine)
        kept = versions(engine) if arguments.action == "list" else [_add(engine, config, arguments)]
    finally:
        engine.close()
    _show(kept, arguments.json)
    return 0


def _add(engine: Engine, config: Config, arguments: Namespace) -> ReferenceVersion:
    if (arguments.file is None) == (arguments.model is None):
        raise ConfigError("say what to keep: a FILE, or --model M --from T --to T")
    if arguments.model is not None:
        return add_window(engine, arguments.name, model_key(arguments.model), _window(arguments))
    if arguments.since or arguments.until:
        raise ConfigError("--from and --to go with --model; a FILE is kept whole")
    declared = config.datasets.get(arguments.name, DatasetConfig(path=str(arguments.file)))
    return add_file(engine, arguments.name, declared.model_copy(update={"path": str(arguments.file)}))


def _window(arguments: Namespace) -> Window:
    window = Window(_time(arguments.since, "--from"), _time(arguments.until, "--to"))
    if window.end <= window.start:
        raise ConfigError(f"--to {arguments.until} is not after --from {arguments.since}")
    return window


def _time(text: str | None, option: str) -> datetime:
    if text is None:
        raise ConfigError(f"{option} is needed with --model")
    try:
        return from_micros(micros(text))
    except ValueError:
        raise ConfigError(f"{option} {text}: not an RFC 3339 time such as 2026-11-22T13:00:00Z") from None


def _show(kept: list[ReferenceVersion], as_json: bool) -> None:
    if as_json:
        print(orjson.dumps(kept).decode())
        return
    for version in kept:
        print(f"{version.name}  {version.rows} rows  {version.hash[:16]}  {version.origin}")
