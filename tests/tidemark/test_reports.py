"""GET /api/runs/{run}/reports/{step}: a library's HTML, kept from reaching anything."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from core.access import NAMESPACES, Namespaces
from core.findings import Report
from storage import open_engine
from storage.engine import Engine
from storage.migrate import migrate
from storage.reports import save_reports
from tidemark.api import create, reports

PAGE = "<p>caf\u00e9</p><script>long, in every report</script>"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"chdb://{tmp_path / 'store'}")
    migrate(engine)
    constant = ("long, in every report",)
    save_reports(engine, [Report("r1", "drift/all", version, "team-a", PAGE + version, constant) for version in "21"])
    yield engine
    engine.close()


def test_a_report_is_served_as_it_was_written_in_a_sandbox(engine: Engine) -> None:
    client = TestClient(create([reports.routes(engine)], {}))
    first = client.get("/api/runs/r1/reports/drift/all")
    assert (first.status_code, first.text) == (200, f"{PAGE}1")
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    policy = first.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';") and "allow-same-origin" not in policy
    assert client.get("/api/runs/r1/reports/drift/all?version=2").text == f"{PAGE}2"
    for path in ("r1/reports/drift/all?version=3", "r2/reports/drift/all", "r1/reports/drift"):
        missing = client.get(f"/api/runs/{path}")
        assert (missing.status_code, missing.json()["status"]) == (404, 404)


def test_a_tenant_reads_the_reports_of_its_own_namespaces_only(engine: Engine) -> None:
    app = create([reports.routes(engine)], {})

    def status(*namespaces: str) -> int:
        async def limited(scope, receive, send):  # type: ignore[no-untyped-def]
            await app({**scope, NAMESPACES: Namespaces(frozenset(namespaces))}, receive, send)

        return TestClient(limited).get("/api/runs/r1/reports/drift/all").status_code

    assert (status("team-a", "team-b"), status("team-b")) == (200, 404)
