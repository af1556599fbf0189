import re

import pytest

from core.config import Config
from core.errors import ConfigError
from core.records import PREDICTIONS
from storage.engine import Engine
from storage.migrate import migrate, migrations
from storage.profiles.grains import KEPT_DAYS
from storage.retention import TABLES, apply_retention, retention


def test_every_file_is_applied_once_in_order(store: Engine) -> None:
    assert [row["name"] for row in store.rows("SELECT name FROM schema_migrations ORDER BY applied")] == migrations()
    assert migrate(store) == []


def test_a_migration_cut_short_is_taken_up_again(engine: Engine) -> None:
    engine.command("TRUNCATE TABLE schema_migrations")
    engine.command("DROP TABLE explanations")
    assert migrate(engine) == migrations()
    assert engine.rows("SELECT count() AS n FROM explanations") == [{"n": 0}]


def test_files_are_numbered_without_gaps() -> None:
    assert [name[:4] for name in migrations()] == [f"{i:04d}" for i in range(1, len(migrations()) + 1)]


def test_predictions_have_the_columns_that_collectors_send(engine: Engine) -> None:
    columns = [row["name"] for row in engine.rows("DESCRIBE TABLE predictions")]
    assert sorted(columns) == sorted([*PREDICTIONS.names, "batch"])


def test_retention_is_set_on_the_tables_and_read_back(store: Engine) -> None:
    assert retention(store) == {}
    wanted = dict.fromkeys(TABLES, 30) | {"predictions": 7}
    apply_retention(store, Config(retention=wanted))
    assert retention(store) == wanted
    apply_retention(store, Config(retention={"predictions": 9}))
    assert retention(store) == KEPT_DAYS | {"predictions": 9}
    apply_retention(store, Config())
    assert retention(store) == KEPT_DAYS


def test_retention_drops_old_rows_only(engine: Engine) -> None:
    engine.command("INSERT INTO dead_letters (received, id) SELECT now64(6) - INTERVAL 3 DAY, 'old'")
    engine.command("INSERT INTO dead_letters (received, id) SELECT now64(6), 'new'")
    apply_retention(engine, Config(retention={"dead_letters": 2}))
    engine.command("OPTIMIZE TABLE dead_letters FINAL")
    assert engine.rows("SELECT id FROM dead_letters") == [{"id": "new"}]


def test_applying_the_same_retention_changes_nothing(engine: Engine) -> None:
    apply_retention(engine, Config(retention={"runs": 30}))
    before = engine.rows("SELECT metadata_version AS v FROM system.tables WHERE name = 'runs'")
    apply_retention(engine, Config(retention={"runs": 30}))
    assert engine.rows("SELECT metadata_version AS v FROM system.tables WHERE name = 'runs'") == before


@pytest.mark.parametrize(
    ("table", "said"), [("xyz", "there are: dead_letter"), ("predictons", "did you mean 'predictions'?")]
)
def test_retention_that_cannot_be_is_a_configuration_error(engine: Engine, table: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"retention.{table}: no table of this name")) as raised:
        apply_retention(engine, Config(retention={table: 3}))
    assert said in str(raised.value)
