"""A call of the HTTP API, from its first byte to its answer: the same for rows and labels, whatever is made of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs

from collectors.accounting.receipts import Receipt
from collectors.taps.asgi import Receive, Scope, Send, answer_error, answer_json, header_map, read_body
from collectors.taps.letters import Sent, Whose, refused
from collectors.taps.ports import Ports
from core.access import Namespaces, namespaces
from core.errors import Overloaded, Rejected
from core.tracing import span


class Asked(NamedTuple):
    """A call: header names in lower case, and the namespaces its sender may use."""

    headers: Mapping[str, str]
    query: str
    body: bytes
    allowed: Namespaces

    def parameters(self, *known: str) -> Mapping[str, str]:
        """Those of the query, of each the last; Rejected names one that is not known."""
        said = {name: values[-1] for name, values in parse_qs(self.query).items()}
        if unknown := said.keys() - set(known):
            raise Rejected(400, "unknown_key", f"known parameters: {', '.join(known)}", min(unknown))
        return said


class Posted:
    """`whose` tells from a query whose data a call was about that could not be read."""

    def __init__(self, ports: Ports, tap: str, path: str, whose: Callable[[str], Whose]) -> None:
        self._ports, self._tap, self._path, self._whose = ports, tap, path, whose

    async def answer(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        take: Callable[[Receipt, Asked], Awaitable[dict[str, object]]],
    ) -> None:
        """202 with what `take` returns; whatever it raises is an answer, too, and a dead letter."""
        ports, headers, receipt = self._ports, header_map(scope), self._ports.receipts.begin()
        query, body = scope["query_string"].decode("latin-1"), b""
        try:
            body = await read_body(receive, headers, ports.limits.body_bytes)
            with span("receive", headers, quotes_errors=not ports.masks.on, tap=self._tap):
                answer = await take(receipt, Asked(headers, query, body, namespaces(scope)))
            await answer_json(send, 202, answer)
        except Overloaded as error:
            receipt.rest("shed")
            await answer_error(send, error)
        except Exception as failure:
            rejected = ports.masks.error(failure)
            receipt.rest("error" if rejected.status >= 500 else "rejected")
            letter = refused(self.sent(headers, query, body), rejected, self._whose(query))
            await ports.into.bury([ports.masks.letter(letter)])
            await answer_error(send, rejected)
        finally:
            receipt.close()

    def sent(self, headers: Mapping[str, str], query: str, body: bytes) -> Sent:
        """What came in a call, or as if it had."""
        return Sent(self._ports.clock(), self._tap, f"{self._path}?{query}" if query else self._path, headers, body)
