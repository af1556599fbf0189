"""`engine`: an embedded store of the test's own. A process can have one folder open at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import open_engine
from storage.engine import Engine
from storage.migrate import migrate


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"chdb://{tmp_path / 'store'}", own=True)
    migrate(engine)
    yield engine
    engine.close()
