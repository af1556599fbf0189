"""`tidemark up`, `collect` and `pipeline`."""

from argparse import Namespace

from core import log
from core.config import load


def run(arguments: Namespace) -> int:
    config = load(arguments.config)
    log.configure(arguments.log_level)
    from tidemark import telemetry
    from tidemark.listen import Listen
    from tidemark.service import serve

    listen = Listen(arguments.host, arguments.port, arguments.allow_anonymous)
    shutdown = telemetry.configure(f"tidemark-{arguments.command}")
    try:
        serve(arguments.command, arguments.store, config, listen)
    finally:
        shutdown()
    return 0
