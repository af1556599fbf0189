"""Real stores for each test that asks: `engine` is embedded, `store` is each of the two engines in turn.

A process can have one folder open at a time, so they live as long as their test.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Thread

import pytest
import uvicorn

from storage import open_engine
from storage.engine import Engine
from storage.engines.embedded import EmbeddedEngine
from storage.migrate import migrate
from storage.serving.serve import Application, clickhouse_app, writes_with

TOKEN = "s3cret/+&"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    engine = open_engine(f"chdb://{tmp_path / 'store'}", own=True)
    migrate(engine)
    yield engine
    engine.close()


@contextmanager
def _serving(app: Application) -> Iterator[int]:
    config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none")  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def serving() -> Callable[[Application], AbstractContextManager[int]]:
    """Serves an ASGI app on a free port of this machine and says which."""
    return _serving


@pytest.fixture
def port(engine: EmbeddedEngine) -> Iterator[int]:
    """The embedded engine behind the ClickHouse HTTP protocol; the password of `owner` is TOKEN."""
    with _serving(clickhouse_app(engine.handles, writes_with(TOKEN))) as port:
        yield port


@pytest.fixture
def server(port: int) -> Iterator[Engine]:
    server = open_engine(f"clickhouse://owner:s3cret%2F%2B%26@127.0.0.1:{port}/tidemark?timeout=30")
    yield server
    server.close()


@pytest.fixture(params=["engine", "server"])
def store(request: pytest.FixtureRequest) -> Engine:
    """The same store, embedded and over HTTP."""
    store: Engine = request.getfixturevalue(request.param)
    return store
