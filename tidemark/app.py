"""The HTTP service: the receive paths as plain ASGI, everything else through FastAPI."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from collectors.taps.asgi import Receive, Scope, Send

ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Routes:
    """Who answers what. None = this role does not."""

    api: ASGI
    events: ASGI | None = None
    rows: ASGI | None = None
    labels: ASGI | None = None
    taps: ASGI | None = None
    clickhouse: ASGI | None = None


class App:
    """Finds the receiver of a call with a few comparisons: the hot paths come ten thousand times a second."""

    def __init__(
        self, routes: Routes, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
    ) -> None:
        self._routes, self._start, self._stop = routes, start, stop
        events, rows, labels = routes.events, routes.rows, routes.labels
        self._posts = {"/": events, "/events": events, "/api/predictions": rows, "/api/labels": labels}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._receiver(scope)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    def _receiver(self, scope: Scope) -> ASGI:
        path: str = scope["path"]
        if scope["method"] == "POST" and (receiver := self._posts.get(path)):
            return receiver
        if path.startswith("/tap/") and self._routes.taps:
            return self._routes.taps
        if f"{path}/".startswith("/clickhouse/") and self._routes.clickhouse:
            return self._routes.clickhouse
        return self._routes.api

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
