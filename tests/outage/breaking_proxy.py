"""A TCP proxy that breaks connections as it is told, in ways that lose requests, answers, or halves of them."""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Literal

Fault = Literal["refuse", "cut_request", "lose_answer", "truncate_answer", "delay"]
CHUNK = 1 << 20


@dataclass
class BreakingProxy:
    """`chances`: how likely each fault is at every request or answer; `gone`: nobody listens any more, so to speak.

    `lose_answer` resets the connection when the server has answered: what was asked for has been done.
    """

    upstream: int
    chances: Mapping[Fault, float] = field(default_factory=dict)
    gone: bool = False
    port: int = 0
    done: "Counter[str]" = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        if self._happens("refuse"):
            _reset(answer)
            return
        with suppress(OSError):
            server, request = await asyncio.open_connection("127.0.0.1", self.upstream)
            ways = [self._requests(client, request), self._answers(server, answer)]
            tasks = [asyncio.ensure_future(way) for way in ways]
            self._tasks.update(tasks)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks.difference_update(tasks)
            _reset(request)
        _reset(answer)

    async def _requests(self, client: asyncio.StreamReader, request: asyncio.StreamWriter) -> None:
        while data := await client.read(CHUNK):
            if self._happens("cut_request"):
                request.write(data[: len(data) // 2])
                await request.drain()
                return
            request.write(data)
            await request.drain()

    async def _answers(self, server: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        while data := await server.read(CHUNK):
            if self._happens("delay"):
                await asyncio.sleep(self.chance.uniform(0.1, 1.5))
            if self._happens("lose_answer"):
                return
            if self._happens("truncate_answer"):
                answer.write(data[: self.chance.randrange(len(data))])
                await answer.drain()
                answer.write_eof()
                await asyncio.sleep(0.01)
                return
            answer.write(data)
            await answer.drain()

    def _happens(self, fault: Fault) -> bool:
        happens = (self.gone and fault != "delay") or self.chance.random() < self.chances.get(fault, 0)
        self.done[fault] += happens
        return happens

    @contextmanager
    def running(self) -> Iterator["BreakingProxy"]:
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0, limit=CHUNK))
        self.port = server.sockets[0].getsockname()[1]
        thread = Thread(target=loop.run_forever, name="proxy")
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._end(server), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _end(self, server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    """As a machine that has lost the connection does, not with a goodbye."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
