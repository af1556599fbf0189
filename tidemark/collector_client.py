"""Calls a running collector over HTTP: the one that has an embedded store open, or the one at an address."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import urllib3

from core.errors import TidemarkError
from storage.serving.owner import live_owner

DEFAULT_URL = "http://127.0.0.1:8080"
TOKEN = "TIDEMARK_TOKEN"
CALL_SECONDS = 120.0
TRIES = 10  # of a call that is not accepted for now
RETRY_SECONDS = 1.0  # what a collector's Retry-After says
_BESIDE = "/clickhouse"  # where `up` serves the store; `serve-store`, which collects nothing, does so at its root


class NoCollector(TidemarkError):
    """Nobody answers, or the connection broke: nobody knows what became of the call."""


class CollectorClient:
    """`url` '' means the owner of `store`, else DEFAULT_URL. TidemarkError when no collector answers there."""

    def __init__(self, store: str, url: str) -> None:
        self.url = (url or _owner(store) or DEFAULT_URL).rstrip("/")
        token = os.environ.get(TOKEN)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._pool = urllib3.PoolManager(timeout=CALL_SECONDS, retries=False)

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()

    def open_letters(self, wanted: Mapping[str, str]) -> list[str]:
        """Every dead letter that is not settled and matches, the oldest first."""
        letters: list[str] = []
        cursor = ""
        while cursor is not None:
            query = {**wanted, "settled": "false", "limit": "1000", **({"cursor": cursor} if cursor else {})}
            status, said = self._call("GET", "/api/dead-letters", query)
            if "dead_letters" not in said:
                raise self.refused(status, said)
            letters += [row["letter"] for row in said["dead_letters"]]
            cursor = said["next"]
        return letters[::-1]

    def replay(self, letter: str) -> dict[str, Any]:
        """`{"letter", "outcome", "reason", "detail"}`: `stored`, `rejected` once more, or `failed` before that."""
        for _ in range(TRIES):
            status, said = self._call("POST", f"/api/dead-letters/{quote(letter, safe='')}/replay")
            if status not in (429, 503):
                break
            time.sleep(RETRY_SECONDS)
        if status == 200 and "outcome" in said:
            return {name: said[name] for name in ("letter", "outcome", "reason", "detail")}
        if status in (401, 403) or "title" not in said or (status == 404 and said.get("field") != "letter"):
            raise self.refused(status, said)
        outcome = "failed" if status in (404, 409, 429, 503) else "rejected"
        return {"letter": letter, "outcome": outcome, **{name: said.get(name, "") for name in ("reason", "detail")}}

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """The answer to a call that sends something. NoCollector when there is none."""
        return self._call("POST", path, body=body, headers=headers)

    def get(self, path: str) -> int:
        """The status of an answer. NoCollector when there is none."""
        return self._call("GET", path)[0]

    def refused(self, status: int, said: Mapping[str, Any]) -> TidemarkError:
        """For an answer that is none of a collector (problem details have a title), or one that does not let us in."""
        if status in (401, 403):
            return TidemarkError(f"{self.url}: {said.get('detail', status)}; set ${TOKEN}")
        if status in (404, 405) or "title" not in said:
            wanted = "give the address of `tidemark up` or `collect` in --url"
            return TidemarkError(f"{self.url} is no collector: {wanted}")
        return TidemarkError(f"{self.url}: {said['detail']}")

    def _call(
        self, method: str, path: str, query: Mapping[str, str] | None = None, **sent: Any
    ) -> tuple[int, dict[str, Any]]:
        headers = {**self._headers, **sent.pop("headers", {})}
        try:
            answer = self._pool.request(method, self.url + path, fields=query, headers=headers, **sent)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            reason = str(error).rpartition(": ")[2]  # the driver's own words name its objects first
            raise NoCollector(
                f"no collector answers at {self.url}: {reason}; "
                "start `tidemark up` or `collect`, or give its address in --url"
            ) from None
        try:
            said = orjson.loads(answer.data)
        except orjson.JSONDecodeError:
            said = None
        return answer.status, said if isinstance(said, dict) else {"detail": f"it answers {answer.status}"}


def _owner(store: str) -> str:
    scheme, _, folder = store.partition("://")
    owner = live_owner(Path(folder).absolute()) if scheme == "chdb" else None
    if owner is None or not owner.url.endswith(_BESIDE):
        return ""
    return owner.url.removesuffix(_BESIDE)
