"""`tidemark serve-store`: the embedded engine as a ClickHouse server on this machine, for several processes at once."""

import logging
import os
import secrets
from argparse import Namespace
from contextlib import ExitStack

from core import log
from core.config import load
from storage import open_engine
from storage.migrate import migrate
from storage.serving.request import Credentials
from storage.serving.serve import OWNER, Access, Authorise, clickhouse_app

PASSWORD = "TIDEMARK_STORE_PASSWORD"


def run(arguments: Namespace) -> int:
    """Anyone on this machine may write; beyond it only with the password in $TIDEMARK_STORE_PASSWORD."""
    config = load(arguments.config)
    log.configure(arguments.log_level)
    password = os.environ.get(PASSWORD, "")
    from storage.engines.embedded import EmbeddedEngine
    from tidemark.app import App, Routes
    from tidemark.listen import Listen
    from tidemark.listen import run as answer
    from tidemark.owning import owning

    listen = Listen(arguments.host, arguments.port, arguments.allow_anonymous)
    listen.check(config.tls, "" if password else f"set ${PASSWORD}")
    with ExitStack() as stack:
        listener = stack.enter_context(listen.socket())
        engine = open_engine(arguments.store, own=True)
        stack.callback(engine.close)
        assert isinstance(engine, EmbeddedEngine)
        for name in migrate(engine):
            logging.getLogger("tidemark").info("applied %s", name)
        token = stack.enter_context(owning(engine.folder, listener, tls=config.tls))
        app = App(Routes(api=clickhouse_app(engine.handles, _authorise(token, password))), _nothing, _nothing)
        answer(app, listener, f"tidemark serve-store: {engine.url}", config.tls)
    return 0


def _authorise(token: str, password: str) -> Authorise:
    """The owner's token and the password let write; without a password so does everyone on this machine."""

    def authorise(who: Credentials) -> Access | None:
        expected = token if who.user == OWNER else password
        given = who.password.encode()
        return Access(None) if not expected or secrets.compare_digest(given, expected.encode()) else None

    return authorise


async def _nothing() -> None:
    """The engine runs from before the server starts until after it stops."""
