"""One process that serves: opens the store, starts its roles, answers HTTP, and stops with everything stored."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple

from collectors.building.naming import Names
from core.config import Config
from core.errors import ConfigError
from core.priority import giving_way
from storage import open_engine
from storage.delivery.journal import open_log
from storage.engine import Engine
from storage.migrate import migrate
from storage.retention import apply_retention
from storage.wal import Log
from tidemark.app import ASGI, App, Routes
from tidemark.collecting import Collecting
from tidemark.guards import guarded
from tidemark.heads import Guard
from tidemark.listen import Listen, run
from tidemark.owning import owning
from tidemark.roles import Shared, Watching
from tidemark.tokens import Tokens, load_tokens


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
    tokens = load_tokens(config.tokens)
    listen.check(config.tls, "" if tokens else "add a token under 'tokens' (`tidemark token` makes one)")
    with ExitStack() as stack:
        listener = stack.enter_context(listen.socket())
        engine = stack.enter_context(closing(giving_way(_opened, role, store, config)))
        wal = stack.enter_context(closing(open_log(store, config))) if ROLES[role].collects else None
        shared = Shared(engine, config)
        clickhouse = stack.enter_context(owned_store(shared, listener, tokens)) if role == "up" else None
        parts = Parts(role, shared, wal)
        app = guarded(parts.app(clickhouse), shared, tokens, parts.shed)
        run(app, listener, f"tidemark {role}: {engine.url}", config.tls, parts.guard())


def _opened(role: str, store: str, config: Config) -> Engine:
    engine = open_engine(store, own=role == "up")
    try:
        prepare(engine, config)
        if ROLES[role].watches:
            check_monitors(engine, config)
    except BaseException:
        engine.close()
        raise
    return engine


def prepare(engine: Engine, config: Config) -> None:
    """Tables up to date, kept for as long as the configuration says."""
    for name in migrate(engine):
        log.info("applied %s", name)
    apply_retention(engine, config)


def check_monitors(engine: Engine, config: Config) -> None:
    """ConfigError for what only mending the configuration helps; what predictions may still bring is a warning."""
    from pipelines.check import mistakes, unknown
    from pipelines.libraries import uninstalled

    if found := mistakes(config, engine):
        raise ConfigError("\n".join(found))
    for line in (*uninstalled(config), *unknown(config, engine)):
        log.warning("%s", line)


@contextmanager
def owned_store(shared: Shared, listener: socket.socket, tokens: Tokens) -> Iterator[ASGI]:
    """The embedded engine over HTTP under /clickhouse/: read-only, but for other commands of this user.

    As it knows no namespaces, with `tokens` only those of the scope admin read there.
    """
    from storage.engines.embedded import EmbeddedEngine
    from storage.serving.serve import clickhouse_app, writes_with

    engine = shared.engine
    assert isinstance(engine, EmbeddedEngine)
    with owning(engine.folder, listener, "/clickhouse", shared.config.tls) as token:
        yield clickhouse_app(engine.handles, writes_with(token, reads=tokens.may_query if tokens else None))


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
            labels=collecting.labels if collecting else None,
            taps=collecting.taps if collecting else None,
            clickhouse=clickhouse,
        )
        return App(routes, self._start, self._stop)

    def shed(self, tap: str) -> None:
        """A call that was refused before its tap saw it."""
        if self._collecting:
            self._collecting.shed(tap)

    def guard(self) -> Guard:
        collecting = self._collecting
        return Guard(self._shared.config.limits, *([collecting.refused] if collecting else []))

    def _api(self, clickhouse: bool) -> ASGI:
        from tidemark.api import create, dead_letters, findings, health, ledger, models, predictions, reports
        from tidemark.api.receiving import CLICKHOUSE, RECEIVING

        engine, config = self._shared.engine, self._shared.config
        names = self._collecting.names if self._collecting else Names(config)
        monitors = self._watching.monitors if self._watching else lambda: config.watched
        routers = [
            predictions.routes(engine, names),
            models.routes(engine),
            findings.routes(engine, monitors),
            reports.routes(engine),
            dead_letters.routes(engine, self._collecting.replay if self._collecting else None),
            ledger.routes(engine, self._collecting.books if self._collecting else None),
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
