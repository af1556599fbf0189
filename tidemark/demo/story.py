"""What Tidemark has found so far, asked over the API that any user has."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp

from examples.breast_cancer import MODEL

MONITOR = f"{MODEL}-drift"


@dataclass
class State:
    """The newest window, and when anything fired. Times are UTC."""

    stored: int = 0
    window_end: str = ""
    newest: list[dict[str, Any]] = field(default_factory=list)
    fired: list[dict[str, Any]] = field(default_factory=list)
    explained: dict[str, Any] | None = None
    failed_run: str = ""


class Watcher:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def look(self, since: datetime) -> State:
        """Everything found in windows that ended after `since`."""
        results = await self._results(since)
        ends = [r["window_end"] for r in results]
        newest = [r for r in results if r["window_end"] == max(ends)]
        runs = await self._get("/api/monitors")
        last = next((m["last_run"] for m in runs["monitors"] if m["name"] == MONITOR), None)
        return State(
            stored=(await self.count())[0],
            window_end=max(ends, default=""),
            newest=newest,
            fired=[r for r in results if r["fired"]],
            explained=await self._explained(),
            failed_run=last["reason"] if last and last["status"] == "failed" else "",
        )

    async def count(self) -> tuple[int, int]:
        """Rows stored, and how many different ids they have."""
        (row,) = await self._select(
            f"SELECT count() AS rows, uniqExact(id) AS ids FROM predictions WHERE model = '{MODEL}'"
        )
        return int(row["rows"]), int(row["ids"])

    async def stored_ids(self) -> set[str]:
        rows = await self._select(f"SELECT DISTINCT id FROM predictions WHERE model = '{MODEL}'")
        return {row["id"] for row in rows}

    async def _explained(self) -> dict[str, Any] | None:
        """Of the predictions that were explained the one that is furthest out, the newest of several as far."""
        rows = await self._select(
            "SELECT id, output, prediction, baseline, values FROM explanations FINAL "
            "ANY LEFT JOIN (SELECT id, max(score) AS furthest FROM scores GROUP BY id) AS scored USING id "
            "ORDER BY furthest DESC, time DESC LIMIT 1"
        )
        return rows[0] if rows else None

    async def _results(self, since: datetime) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        while cursor is not None:
            page = await self._get(
                "/api/results", monitor=MONITOR, since=since.isoformat(), limit="5000", cursor=cursor
            )
            found += page["results"]
            cursor = page["next"]
        return found

    async def _select(self, sql: str) -> list[dict[str, Any]]:
        answer = await self._get("/clickhouse/", query=f"{sql} FORMAT JSON", database="tidemark")
        rows: list[dict[str, Any]] = answer["data"]
        return rows

    async def _get(self, path: str, **parameters: str) -> Any:
        async with self._session.get(self._url + path, params=parameters) as answer:
            answer.raise_for_status()
            return await answer.json(content_type=None)
