"""An empty store for each test that asks for one: `engine`, embedded and migrated."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import open_engine
from storage.engine import Engine
from storage.migrate import migrate


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"chdb://{tmp_path / 'store'}")
    migrate(engine)
    yield engine
    engine.close()
