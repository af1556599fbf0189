"""The client of the demo: sends rows of the held-out population to the model through the tap, and remembers each."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import aiohttp
import numpy as np
import orjson

from examples.breast_cancer import MODEL
from examples.breast_cancer.traffic import Traffic

CALLS_PER_SECOND = 50
MOST_ROWS = 3  # a call has one row, or two, or three


@dataclass
class Sent:
    """What was sent and answered with 200."""

    rows: int = 0
    calls: int = 0
    failed: int = 0
    ids: set[str] = field(default_factory=set)


class Clinic:
    def __init__(self, tap: str, seed: int) -> None:
        """`tap` is the address of the model behind Tidemark."""
        self._url = f"{tap}/v2/models/{MODEL}/infer"
        self._rng = np.random.default_rng(seed)
        self._traffic = Traffic()
        self.sent = Sent()
        self.shifted = False

    async def run(self, stop: asyncio.Event) -> None:
        """Call at a steady rate until `stop`, then wait for the answers under way."""
        loop = asyncio.get_running_loop()
        due, calls = loop.time(), set[asyncio.Task[None]]()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:
            while not stop.is_set():
                call = asyncio.create_task(self._call(session))
                calls.add(call)
                call.add_done_callback(calls.discard)
                due += 1 / CALLS_PER_SECOND
                await asyncio.sleep(max(0.0, due - loop.time()))
            await asyncio.gather(*calls)

    async def _call(self, session: aiohttp.ClientSession) -> None:
        count = int(self._rng.integers(1, MOST_ROWS + 1))
        rows = self._traffic.rows(self._rng, self.shifted, count)
        id = str(UUID(bytes=self._rng.bytes(16), version=4))
        tensor = {"name": "features", "shape": rows.shape, "datatype": "FP64", "data": rows.ravel().tolist()}
        try:
            async with session.post(self._url, data=orjson.dumps({"id": id, "inputs": [tensor]})) as answer:
                await answer.read()
                self._note(answer.status, id, count)
        except aiohttp.ClientError:
            self.sent.failed += 1

    def _note(self, status: int, id: str, count: int) -> None:
        self.sent.calls += 1
        if status != 200:
            self.sent.failed += 1
            return
        self.sent.rows += count
        self.sent.ids |= {id} if count == 1 else {f"{id}-{row}" for row in range(count)}
