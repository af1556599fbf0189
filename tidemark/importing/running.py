"""A collector that runs, over HTTP."""

from urllib.parse import quote

from core.errors import TidemarkError
from tidemark.collector_client import CollectorClient, NoCollector
from tidemark.importing.target import PATH, Answer, Call, NoAnswer


class Running:
    def __init__(self, client: CollectorClient) -> None:
        self._client = client

    @property
    def name(self) -> str:
        return self._client.url

    def send(self, call: Call) -> Answer:
        try:
            status, said = self._client.post(f"{PATH}?{call.query}", call.content, call.headers)
        except NoCollector as error:
            raise NoAnswer(str(error)) from None
        if status in (401, 403, 404, 405) or (status >= 400 and "title" not in said):
            raise self._client.refused(status, said)
        return Answer(status, said)

    def has(self, id: str) -> bool | None:
        try:
            status = self._client.get(f"{PATH}/{quote(id, safe='')}")
        except TidemarkError:
            return None
        return {200: True, 300: True, 404: False}.get(status)

    def close(self) -> None:
        self._client.close()
