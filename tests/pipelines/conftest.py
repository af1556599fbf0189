"""An empty store for each test that asks for one: `engine`, embedded and migrated."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from storage import open_engine
from storage.engine import Engine, Params
from storage.migrate import migrate


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"chdb://{tmp_path / 'store'}")
    migrate(engine)
    yield engine
    engine.close()


@pytest.fixture
def asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SELECTs that `engine` has answered so far."""
    statements, arrow = list[str](), engine.arrow

    def noted(sql: str, params: Params | None = None) -> pa.Table:
        statements.append(sql)
        return arrow(sql, params)

    monkeypatch.setattr(engine, "arrow", noted)
    return statements
