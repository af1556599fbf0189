"""`tidemark serve-store`: the embedded engine as a ClickHouse server on this machine, for several processes at once."""

import logging
import os
import secrets
from argparse import Namespace
from contextlib import ExitStack

from core import log
from core.errors import ConfigError
from storage import open_engine
from storage.http_request import Credentials
from storage.migrate import migrate
from storage.serve import OWNER, Access, Authorise, clickhouse_app

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PASSWORD = "TIDEMARK_STORE_PASSWORD"


def run(arguments: Namespace) -> int:
    """Anyone on this machine may write; beyond it only with the password in $TIDEMARK_STORE_PASSWORD."""
    log.configure(arguments.log_level)
    password = os.environ.get(PASSWORD, "")
    if arguments.host not in LOOPBACK and not password:
        raise ConfigError(f"--host {arguments.host} lets other machines write: set ${PASSWORD} first")
    from storage.chdb_engine import EmbeddedEngine
    from storage.owner import announced, reachable
    from tidemark.app import App, Routes
    from tidemark.listen import Listen
    from tidemark.listen import run as answer

    with ExitStack() as stack:
        listener = stack.enter_context(Listen(arguments.host, arguments.port).socket())
        engine = open_engine(arguments.store, own=True)
        stack.callback(engine.close)
        assert isinstance(engine, EmbeddedEngine)
        for name in migrate(engine):
            logging.getLogger("tidemark").info("applied %s", name)
        token = secrets.token_urlsafe(32)
        host, port = listener.getsockname()[:2]
        stack.enter_context(announced(engine.folder, reachable(host, port), token))
        app = clickhouse_app(engine.handles, _authorise(token, password))
        answer(App(Routes(api=app), _nothing, _nothing), listener, f"tidemark serve-store: {engine.url}")
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
