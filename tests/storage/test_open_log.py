"""Where the log lies, and that it is large enough."""

from pathlib import Path

import pytest

from core.config import Config
from core.errors import ConfigError
from storage.delivery.journal import open_log


def test_the_log_lies_beside_an_embedded_store_and_must_hold_the_largest_call(tmp_path: Path) -> None:
    open_log(f"chdb://{tmp_path}/store", Config()).close()
    assert (tmp_path / "store-wal").is_dir()
    with pytest.raises(ConfigError, match=r"wal\.bytes must be at least"):
        open_log(f"chdb://{tmp_path}/store", Config.model_validate({"wal": {"bytes": 2**20}}))
    open_log("clickhouse://h", Config.model_validate({"wal": {"dir": str(tmp_path / "own")}})).close()
    assert (tmp_path / "own").is_dir()
