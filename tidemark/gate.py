"""How many calls are answered at once and how long a body may take: an ASGI wrapper in front of every receiver."""

import asyncio
from collections.abc import Callable

from collectors.taps.asgi import Message, Receive, Scope, Send, answer_error
from core.config import Limits
from core.errors import Overloaded, Rejected
from tidemark.app import ASGI

# Answered however many calls there are: whether the process lives, and the numbers that say why it is slow.
_ALWAYS = {"/livez", "/readyz", "/metrics"}
TOO_MANY, TOO_SLOW = "too_many_calls", "slow_body"

Refused = Callable[[Scope, str], object]


class Gate:
    """Answers 503 at once to calls beyond `limits.concurrent_requests`, and 408 to bodies that trickle in."""

    def __init__(self, app: ASGI, limits: Limits, refused: Refused) -> None:
        """`refused` is called with the scope and TOO_MANY or TOO_SLOW."""
        self._app, self._most, self._refused = app, limits.concurrent_requests, refused
        self._bodies = _Bodies(limits.body_seconds)
        self._calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
        elif self._calls >= self._most:
            self._refused(scope, TOO_MANY)
            await answer_error(send, Overloaded(f"over {self._most} calls at once (limits.concurrent_requests)"))
        else:
            await self._through(scope, receive, send)

    async def _through(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = _Call(self._bodies, receive, send)
        self._calls += 1
        try:
            await self._app(scope, call.receive, call.send)
        except Rejected:
            if not call.late or call.begun:
                raise
        finally:
            self._calls -= 1
            self._bodies.ended(call)
            if call.late:
                self._refused(scope, TOO_SLOW)
        if call.late and not call.begun:
            await answer_error(call.send, self._bodies.too_slow())


class _Call:
    """One call with a body to come: `late` once its time is up, `begun` once its answer is."""

    __slots__ = ("_bodies", "_receive", "_send", "_waiting", "begun", "deadline", "late")

    def __init__(self, bodies: "_Bodies", receive: Receive, send: Send) -> None:
        self._bodies, self._receive, self._send = bodies, receive, send
        self._waiting: asyncio.Task[object] | None = None
        self.begun = self.late = False
        self.deadline = 0.0
        bodies.began(self)

    async def receive(self) -> Message:
        """What the server hands over; Rejected(408) instead of a part that comes too late."""
        if self.late:
            raise self._bodies.too_slow()
        if not self.deadline:  # the body is whole: what still comes is that the client goes
            return await self._receive()
        self._waiting = asyncio.current_task()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if not self.late or not self._waiting or self._waiting.uncancel():
                raise
            raise self._bodies.too_slow() from None
        finally:
            self._waiting = None
        if not message.get("more_body"):
            self._bodies.ended(self)
        return message

    async def send(self, message: Message) -> None:
        self.begun = True
        if (
            self.late and message["type"] == "http.response.start"
        ):  # the rest of the body would follow on the connection
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self._send(message)

    def expire(self) -> bool:
        """False when nobody waits for the body: a slow upstream, or a reader without one, is not its sender's fault."""
        self.late = self._waiting is not None
        if self._waiting:
            self._waiting.cancel()
        return self.late


class _Bodies:
    """The bodies still to come, the oldest first, under one timer: one for each would cost more than the rest here."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._calls: dict[_Call, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def began(self, call: _Call) -> None:
        loop = asyncio.get_running_loop()
        call.deadline = loop.time() + self._seconds
        self._calls.pop(call, None)
        self._calls[call] = None
        if self._timer is None:
            self._timer = loop.call_at(call.deadline, self._expire)

    def ended(self, call: _Call) -> None:
        call.deadline = 0.0
        self._calls.pop(call, None)

    def too_slow(self) -> Rejected:
        return Rejected(408, TOO_SLOW, f"the body was not whole after {self._seconds:g} s (limits.body_seconds)")

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for call in list(self._calls):
            if call.deadline > loop.time():
                self._timer = loop.call_at(call.deadline, self._expire)
                return
            self.ended(call) if call.expire() else self.began(call)
