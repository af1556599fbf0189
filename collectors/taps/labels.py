"""POST /api/labels: the truth about predictions, as JSON."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode

from collectors.accepting.items import Item, Labels, Letters
from collectors.accepting.journal import frames_of
from collectors.accounting.receipts import Receipt
from collectors.formats.body import is_json
from collectors.formats.encodings import unzip
from collectors.labels import TAP
from collectors.labels.ids import Lookup, with_models, without
from collectors.labels.reading import bad_label, read_labels
from collectors.labels.values import shown
from collectors.rows import BadRow, Defaults, LabelsRead, check_allowed
from collectors.taps.asgi import Receive, Scope, Send, answer_error, answer_json, header_map, read_body
from collectors.taps.aside import Aside
from collectors.taps.hints import ENCODING
from collectors.taps.letters import Sent, Whose, refused
from collectors.taps.ports import Ports
from core.access import Namespaces, namespaces
from core.errors import Overloaded, Rejected
from core.records import DeadLetter
from core.tracing import span

PATH = "/api/labels"


class LabelsTap:
    def __init__(self, ports: Ports, lookup: Lookup) -> None:
        self._into, self._receipts, self._masks = ports.into, ports.receipts, ports.masks
        self._limits, self._clock, self._lookup = ports.limits, ports.clock, lookup
        self._aside = Aside(ports.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, receipt = header_map(scope), self._receipts.begin()
        query, body = scope["query_string"].decode("latin-1"), b""
        try:
            body = await read_body(receive, headers, self._limits.body_bytes)
            with span("receive", headers, quotes_errors=not self._masks.on, tap=TAP):
                answer = await self._take(receipt, _Asked(headers, query, body, namespaces(scope)))
            await answer_json(send, 202, answer)
        except Overloaded as error:
            receipt.rest("shed")
            await answer_error(send, error)
        except Exception as failure:
            rejected = self._masks.error(failure)
            receipt.rest("error" if rejected.status >= 500 else "rejected")
            letter = refused(self._sent(headers, query, body), rejected, Whose())
            await self._into.bury([self._masks.letter(letter)])
            await answer_error(send, rejected)
        finally:
            receipt.close()

    async def _take(self, receipt: Receipt, asked: "_Asked") -> dict[str, object]:
        weight = self._aside.weight(asked.headers, asked.body)
        read = await self._aside.run(weight, self._read, asked)
        read = self._masks.labels(await self._meant(read, asked))
        taken = await self._into.accept([framed for item in self._items(read) for framed in frames_of(item)], receipt)
        receipt.rest("accepted")  # a call without any labels
        rejected = [{"row": r.row, "field": r.field, "reason": r.reason} for r in read.rejected]
        return {"accepted": taken.accepted, "duplicate": taken.duplicate, "rejected": rejected}

    def _read(self, asked: "_Asked") -> LabelsRead:
        content_type = asked.headers.get("content-type", "application/json")
        if not is_json(content_type):
            raise Rejected(415, "bad_content_type", f"'{content_type[:100]}' is not application/json", "content-type")
        plain = unzip(asked.body, self._limits.body_bytes, asked.headers.get(ENCODING, ""))
        read = read_labels(plain, self._defaults(asked))
        check_allowed(read.rejected, len(read.batch))
        return read

    async def _meant(self, read: LabelsRead, asked: "_Asked") -> LabelsRead:
        """Each label with its model where its id says so. Rejected when none of the call can be meant."""
        batch, wrong = with_models(read.batch, await self._lookup.found(read.batch))
        if not wrong:
            return read._replace(batch=batch)
        if len(wrong) == len(batch) and not read.rejected:
            raise next(iter(wrong.values()))
        worse = [self._unmeant(read, row, error, asked) for row, error in wrong.items()]
        numbers = [number for row, number in enumerate(read.numbers) if row not in wrong]
        return LabelsRead(without(batch, wrong), sorted([*read.rejected, *worse]), numbers)

    def _unmeant(self, read: LabelsRead, row: int, error: Rejected, asked: "_Asked") -> BadRow:
        (said,) = read.batch.slice(row, 1).to_pylist()
        label = {name: said[name] for name in ("id", "name", "model", "namespace", "source") if said[name]}
        label["value"] = shown(said["value"], said["num"])
        if said["time"] != said["received"]:
            label["time"] = said["time"].isoformat()
        return bad_label(read.numbers[row], label, error, self._defaults(asked))

    def _items(self, read: LabelsRead) -> list[Item]:
        items: list[Item] = [Labels(read.batch)] if len(read.batch) else []
        if read.rejected:
            letters = [self._masks.letter(self._letter(row)).cut() for row in read.rejected]
            items.append(Letters(letters, events=0 if items else 1))
        return items

    def _letter(self, row: BadRow) -> DeadLetter:
        """A call of that label alone; what it had from the rest of its call is in the path."""
        named = {"namespace": row.namespace, "model": row.model}
        query = urlencode({name: value for name, value in named.items() if value}, errors="replace")
        sent = self._sent({"content-type": "application/json"}, query, row.body)
        return refused(sent, Rejected(400, row.code, row.reason, row.field), Whose(row.namespace, row.model))

    def _defaults(self, asked: "_Asked") -> Defaults:
        said = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        if unknown := said.keys() - {"model", "namespace"}:
            raise Rejected(400, "unknown_key", "known parameters: model, namespace", min(unknown))
        namespace, model = said.get("namespace") or "default", said.get("model", "")
        return Defaults(namespace, model, "", TAP, self._clock(), limits=self._limits, allowed=asked.allowed)

    def _sent(self, headers: Mapping[str, str], query: str, body: bytes) -> Sent:
        return Sent(self._clock(), TAP, f"{PATH}?{query}" if query else PATH, headers, body)


class _Asked(NamedTuple):
    """A call: header names in lower case, and the namespaces its sender may use."""

    headers: Mapping[str, str]
    query: str
    body: bytes
    allowed: Namespaces
