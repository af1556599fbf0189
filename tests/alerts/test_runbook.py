import re
from pathlib import Path

import alerts
from storage import open_engine
from storage.migrate import migrate

QUERIES = re.findall(r'tidemark query "([^"]+)"', Path(alerts.__file__).with_name("runbook.md").read_text("utf-8"))


def test_every_query_of_the_runbook_runs_on_the_schema(tmp_path: Path) -> None:
    engine = open_engine(f"chdb://{tmp_path / 'store'}")
    try:
        migrate(engine)
        assert len(QUERIES) > 10
        for query in QUERIES:
            engine.rows(query)
    finally:
        engine.close()
