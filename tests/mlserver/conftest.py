"""The fixture `mlserver`: a real MLServer 1.7.1, started once for all its tests."""

from collections.abc import Iterator

import pytest
from mlserver_process import BIN, MLServer, serve


@pytest.fixture(scope="session")
def mlserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServer]:
    if not (BIN / "mlserver").exists():
        pytest.skip("no MLServer environment; `make .venv-mlserver` builds it")
    with serve(tmp_path_factory.mktemp("mlserver")) as server:
        yield server
