"""What the log has let go of is on the store's disk, merges included."""

import re

import pytest
from test_sink import NOW, count, rows

from core.records import DeadLetter
from storage.delivery.sink import StoreSink
from storage.engine import Engine
from storage.engines.embedded import EmbeddedEngine
from storage.migrate import migrate

DURABLE = {
    "fsync_after_insert": "1",
    "fsync_part_directory": "1",
    "min_rows_to_fsync_after_merge": "1",
    "min_compressed_bytes_to_fsync_after_merge": "1",
}


@pytest.mark.parametrize("table", ["predictions", "halves", "dead_letters", "models"])
def test_every_delivery_table_fsyncs_inserts_and_merges(store: Engine, table: str) -> None:
    [found] = store.rows("SELECT engine_full FROM system.tables WHERE name = {name:String}", {"name": table})
    settings = dict(re.findall(r"(\w+) = (\d+)", found["engine_full"].partition("SETTINGS")[2]))
    assert {name: settings.get(name) for name in DURABLE} == DURABLE


def synced(engine: Engine) -> int:
    return int(engine.rows("SELECT sum(value) AS n FROM system.events WHERE event = 'FileSync'")[0]["n"])


def test_a_merge_is_fsynced(engine: EmbeddedEngine) -> None:
    for id in ("a", "b", "c"):
        StoreSink(engine).store(rows(id))
    before = synced(engine)
    engine.command("OPTIMIZE TABLE predictions FINAL")
    assert synced(engine) > before


def test_a_store_of_the_first_schema_is_brought_up_to_date_with_its_rows(engine: EmbeddedEngine) -> None:
    """Also when the change was cut short and is applied again."""
    engine.command("ALTER TABLE predictions RESET SETTING min_rows_to_fsync_after_merge")
    engine.command("ALTER TABLE dead_letters DROP COLUMN batch")
    engine.command("INSERT INTO dead_letters (received, id) SELECT now64(6), 'old'")
    for _ in range(2):
        engine.command("TRUNCATE TABLE schema_migrations")
        migrate(engine)
    sink = StoreSink(engine)
    sink.store_dead_letters([DeadLetter(NOW, "api", "x", "", "", b"")])
    sink.store(rows("a"))
    assert engine.rows("SELECT countIf(batch = 0) AS old, count() AS n FROM dead_letters") == [{"old": 1, "n": 2}]
    test_every_delivery_table_fsyncs_inserts_and_merges(engine, "predictions")
    assert count(engine) == 1
