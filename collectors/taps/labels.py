"""POST /api/labels: the truth about predictions, as JSON."""

from urllib.parse import urlencode

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
from collectors.taps.asgi import Receive, Scope, Send
from collectors.taps.aside import Aside
from collectors.taps.hints import ENCODING
from collectors.taps.letters import Whose, refused
from collectors.taps.ports import Ports
from collectors.taps.posted import Asked, Posted
from core.errors import Rejected
from core.records import DeadLetter

PATH = "/api/labels"


class LabelsTap:
    def __init__(self, ports: Ports, lookup: Lookup) -> None:
        self._posted = Posted(ports, TAP, PATH, lambda query: Whose())
        self._into, self._masks = ports.into, ports.masks
        self._limits, self._clock, self._lookup = ports.limits, ports.clock, lookup
        self._aside = Aside(ports.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._posted.answer(scope, receive, send, self._take)

    async def _take(self, receipt: Receipt, asked: Asked) -> dict[str, object]:
        weight = self._aside.weight(asked.headers, asked.body)
        read = await self._aside.run(weight, self._read, asked)
        read = self._masks.labels(await self._meant(read, asked))
        taken = await self._into.accept([framed for item in self._items(read) for framed in frames_of(item)], receipt)
        receipt.rest("accepted")  # a call without any labels
        rejected = [{"row": r.row, "field": r.field, "reason": r.reason} for r in read.rejected]
        return {"accepted": taken.accepted, "duplicate": taken.duplicate, "rejected": rejected}

    def _read(self, asked: Asked) -> LabelsRead:
        content_type = asked.headers.get("content-type", "application/json")
        if not is_json(content_type):
            raise Rejected(415, "bad_content_type", f"'{content_type[:100]}' is not application/json", "content-type")
        plain = unzip(asked.body, self._limits.body_bytes, asked.headers.get(ENCODING, ""))
        read = read_labels(plain, self._defaults(asked))
        check_allowed(read.rejected, len(read.batch))
        return read

    async def _meant(self, read: LabelsRead, asked: Asked) -> LabelsRead:
        """Each label with its model where its id says so. Rejected when none of the call can be meant."""
        batch, wrong = with_models(read.batch, await self._lookup.found(read.batch))
        if not wrong:
            return read._replace(batch=batch)
        if len(wrong) == len(batch) and not read.rejected:
            raise next(iter(wrong.values()))
        worse = [self._unmeant(read, row, error, asked) for row, error in wrong.items()]
        numbers = [number for row, number in enumerate(read.numbers) if row not in wrong]
        return LabelsRead(without(batch, wrong), sorted([*read.rejected, *worse]), numbers)

    def _unmeant(self, read: LabelsRead, row: int, error: Rejected, asked: Asked) -> BadRow:
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
        sent = self._posted.sent({"content-type": "application/json"}, query, row.body)
        return refused(sent, Rejected(400, row.code, row.reason, row.field), Whose(row.namespace, row.model))

    def _defaults(self, asked: Asked) -> Defaults:
        said = asked.parameters("model", "namespace")
        namespace, model = said.get("namespace") or "default", said.get("model", "")
        return Defaults(namespace, model, "", TAP, self._clock(), limits=self._limits, allowed=asked.allowed)
