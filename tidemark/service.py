"""One process that serves: opens the store, starts its roles, answers HTTP, and stops with everything stored."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple

from collectors.naming import Names
from core.config import Config
from core.errors import ConfigError
from storage import open_engine
from storage.engine import Engine
from storage.journal import open_log
from storage.migrate import migrate
from storage.retention import apply_retention
from storage.wal import Log
from tidemark.app import ASGI, App, Routes
from tidemark.heads import Guard
from tidemark.listen import Listen, run
from tidemark.roles import Collecting, Shared, Watching


class Role(NamedTuple):
    collects: bool
    watches: bool


# By command. Only `up` owns an embedded store.
ROLES = {"up": Role(True, True), "collect": Role(True, False), "pipeline": Role(False, True)}

log = logging.getLogger("tidemark")


def serve(role: str, store: str, config: Config, listen: Listen) -> None:
    """Run until SIGINT or SIGTERM. ConfigError or StoreError when it cannot start."""
    if role != "up" and store.startswith("chdb://"):
        raise ConfigError(
            f"`tidemark {role}` shares its store with other processes: start `tidemark serve-store --store {store}` "
            "and give its address, clickhouse://127.0.0.1:8123/tidemark"
        )
    with ExitStack() as stack:
        listener = stack.enter_context(listen.socket())
        engine = open_engine(store, own=role == "up")
        stack.callback(engine.close)
        prepare(engine, config)
        if ROLES[role].watches:
            check_monitors(engine, config)
        wal = stack.enter_context(closing(open_log(store, config))) if ROLES[role].collects else None
        parts = Parts(role, Shared(engine, config), wal)
        clickhouse = stack.enter_context(owned_store(engine, listener)) if role == "up" else None
        run(parts.app(clickhouse), listener, f"tidemark {role}: {engine.url}", parts.guard())


def prepare(engine: Engine, config: Config) -> None:
    """Tables up to date, kept for as long as the configuration says."""
    for name in migrate(engine):
        log.info("applied %s", name)
    apply_retention(engine, config.retention)


def check_monitors(engine: Engine, config: Config) -> None:
    """ConfigError for what only mending the configuration helps; what predictions may still bring is a warning."""
    from pipelines.check import mistakes, unknown

    if found := mistakes(config, engine):
        raise ConfigError("\n".join(found))
    for line in unknown(config, engine):
        log.warning("%s", line)


@contextmanager
def owned_store(engine: Engine, listener: socket.socket) -> Iterator[ASGI]:
    """The embedded engine over HTTP under /clickhouse/: read-only, but for other commands of this user."""
    from storage.chdb_engine import EmbeddedEngine
    from storage.owner import announced, reachable
    from storage.serve import clickhouse_app, writes_with

    assert isinstance(engine, EmbeddedEngine)
    token = secrets.token_urlsafe(32)
    host, port = listener.getsockname()[:2]
    with announced(engine.folder, f"{reachable(host, port)}/clickhouse", token):
        yield clickhouse_app(engine.handles, writes_with(token))


class Parts:
    """The roles of one process and the app in front of them. With a log it collects."""

    def __init__(self, role: str, shared: Shared, wal: Log | None) -> None:
        self._shared = shared
        self._collecting = Collecting(shared, wal) if wal else None
        self._watching = Watching(shared) if ROLES[role].watches else None
        self._ready = False

    def app(self, clickhouse: ASGI | None) -> App:
        collecting = self._collecting
        routes = Routes(
            api=self._api(clickhouse is not None),
            events=collecting.events if collecting else None,
            rows=collecting.rows if collecting else None,
            taps=collecting.taps if collecting else None,
            clickhouse=clickhouse,
        )
        return App(routes, self._start, self._stop)

    def guard(self) -> Guard:
        collecting = self._collecting
        return Guard(self._shared.config.limits, *([collecting.refused] if collecting else []))

    def _api(self, clickhouse: bool) -> ASGI:
        from tidemark.api import create, findings, health, models, predictions
        from tidemark.api.receiving import CLICKHOUSE, RECEIVING

        engine, config = self._shared.engine, self._shared.config
        names = self._collecting.names if self._collecting else Names(config)
        monitors = self._watching.monitors if self._watching else lambda: config.watched
        routers = [
            predictions.routes(engine, names),
            models.routes(engine),
            findings.routes(engine, monitors),
            health.routes(engine, self._shared.metrics, lambda: self._ready),
        ]
        return create(routers, {**(RECEIVING if self._collecting else {}), **(CLICKHOUSE if clickhouse else {})})

    async def _start(self) -> None:
        for part in (self._collecting, self._watching):
            if part:
                await part.start()
        self._ready = True

    async def _stop(self) -> None:
        self._ready = False
        await asyncio.gather(*(part.stop() for part in (self._collecting, self._watching) if part))
