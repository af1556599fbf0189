"""A collector of one's own around an embedded store that nobody has open."""

import asyncio
from contextlib import ExitStack, closing
from threading import Thread
from typing import Any

import orjson

from collectors.taps.asgi import Message, Scope
from core.config import Config
from storage import open_engine
from storage.delivery.journal import open_log
from storage.lookup.predictions import Wanted, find
from tidemark.collecting import Collecting
from tidemark.importing.target import PATH, Answer, Call
from tidemark.roles import Shared
from tidemark.service import prepare


class Inside:
    """Masks, samples, counts and logs as `tidemark up` with the same configuration would."""

    def __init__(self, store: str, config: Config) -> None:
        """StoreOwned when another process has it open; ConfigError as for `up`."""
        with ExitStack() as stack:
            self._engine = open_engine(store, own=True)
            stack.callback(self._engine.close)
            prepare(self._engine, config)
            wal = stack.enter_context(closing(open_log(store, config)))
            self.name = f"{self._engine.url} {wal.identity}"
            self._collecting = Collecting(Shared(self._engine, config), wal)
            self._loop = asyncio.new_event_loop()
            stack.callback(self._loop.close)
            thread = Thread(target=self._loop.run_forever, name="import")
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._loop.call_soon_threadsafe, self._loop.stop)
            self._wait(self._collecting.start())
            stack.callback(lambda: self._wait(self._collecting.stop()))
            self._stack = stack.pop_all()

    def send(self, call: Call) -> Answer:
        answer: Answer = self._wait(self._send(call))
        return answer

    def has(self, id: str) -> bool:
        return bool(find(self._engine, Wanted(id)))

    def close(self) -> None:
        self._stack.close()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _send(self, call: Call) -> Answer:
        heard: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": call.content}

        async def send(message: Message) -> None:
            heard.append(message)

        await self._collecting.rows(_scope(call), receive, send)
        body = b"".join(message.get("body", b"") for message in heard)
        return Answer(int(heard[0]["status"]), orjson.loads(body))


def _scope(call: Call) -> Scope:
    return {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "query_string": call.query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in call.headers.items()],
    }
