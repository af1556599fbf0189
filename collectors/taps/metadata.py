"""What a model itself says its fields are called: V2 metadata, asked for once."""

import asyncio
import logging
import time

import aiohttp
import orjson
from yarl import URL

from collectors.building.naming import Names
from core.config import TapConfig
from core.records import ModelKey

METADATA_SECONDS = 2.0  # how long the first recordings of a model wait for it
RETRY_SECONDS = 30.0  # a server that is just starting may know the model later
MOST_UNKNOWN = 10_000  # models asked for in vain and remembered: clients may send any name
MOST_BYTES = 2**20
_PLAIN = {"accept": "application/json", "accept-encoding": "identity"}

log = logging.getLogger("tidemark.tap")


class Metadata:
    """Asks one upstream; calls for the same model at the same time share one question."""

    def __init__(self, tap: TapConfig, names: Names) -> None:
        self._tap, self._names = tap, names
        self._asking: dict[ModelKey, asyncio.Task[None]] = {}
        self._not_before: dict[ModelKey, float] = {}

    async def learn(self, session: aiohttp.ClientSession, model: ModelKey, path: str, host: str) -> None:
        """Return when the fields of `model` are known or cannot be known now.

        `path` of the upstream is where its metadata is; `host` is the one that its inferences are sent to, as gateways
        choose the model by it.
        """
        if self._names.knows(model) or time.monotonic() < self._not_before.get(model, 0.0):
            return
        if model not in self._asking:
            task = asyncio.get_running_loop().create_task(self._ask(session, model, path, host))
            task.add_done_callback(lambda _: self._asking.pop(model, None))
            self._asking[model] = task
        await self._asking[model]

    async def _ask(self, session: aiohttp.ClientSession, model: ModelKey, path: str, host: str) -> None:
        url = URL(self._tap.upstream.rstrip("/") + path, encoded=True)
        headers = {**_PLAIN, "host": host or url.authority}
        limit = aiohttp.ClientTimeout(METADATA_SECONDS)
        try:
            async with session.get(url, headers=headers, timeout=limit, allow_redirects=False) as response:
                response.raise_for_status()
                self._names.learn(model, orjson.loads(await _read(response)))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            if len(self._not_before) >= MOST_UNKNOWN:
                self._not_before.clear()
            self._not_before[model] = time.monotonic() + RETRY_SECONDS
            log.info("tap %s: no V2 metadata of %s: %s", self._tap.name, model.model, error)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ValueError(f"over {MOST_BYTES} bytes")
    return body
