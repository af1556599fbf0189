"""GET /api/runs/{run}/reports/{step}: a library's HTML, kept from reaching anything."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.access import EVERY_NAMESPACE, NAMESPACES, Namespaces
from core.findings import Report
from storage import open_engine
from storage.engine import Engine
from storage.findings.reports import save_reports
from storage.migrate import migrate
from tidemark.api import create, reports

PAGE = "<p>caf\u00e9</p><script>long, in every report</script>"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"chdb://{tmp_path / 'store'}")
    migrate(engine)
    constant = ("long, in every report",)
    save_reports(engine, [Report("r1", "drift/all", version, "team-a", PAGE + version, constant) for version in "21"])
    yield engine
    engine.close()


def get(engine: Engine, path: str, query: str = "", allowed: Namespaces = EVERY_NAMESPACE) -> Answer:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        **{"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "headers": []},
        **{"path": f"/api/runs/{path}", "query_string": query.encode(), NAMESPACES: allowed},
    }
    asyncio.run(create([reports.routes(engine)], {})(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(part.get("body", b"") for part in sent[1:]).decode())


def test_a_report_is_served_as_it_was_written_in_a_sandbox(engine: Engine) -> None:
    first = get(engine, "r1/reports/drift/all")
    assert (first.status, first.text) == (200, f"{PAGE}1")
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    policy = first.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';") and "allow-same-origin" not in policy
    assert get(engine, "r1/reports/drift/all", "version=2").text == f"{PAGE}2"


@pytest.mark.parametrize(
    ("path", "query"), [("r1/reports/drift/all", "version=3"), ("r2/reports/drift/all", ""), ("r1/reports/drift", "")]
)
def test_a_report_that_is_not_there_is_404(engine: Engine, path: str, query: str) -> None:
    missing = get(engine, path, query)
    assert (missing.status, missing.headers["content-type"]) == (404, "application/problem+json")


def test_a_tenant_reads_the_reports_of_its_own_namespaces_only(engine: Engine) -> None:
    allowed, others = Namespaces(frozenset({"team-a", "team-b"})), Namespaces(frozenset({"team-b"}))
    assert get(engine, "r1/reports/drift/all", allowed=allowed).status == 200
    assert get(engine, "r1/reports/drift/all", allowed=others).status == 404
