"""POST /api/predictions: Tidemark's own rows, as JSON, NDJSON or an Arrow IPC stream."""

from urllib.parse import parse_qs

from collectors.accepting.into import Frames
from collectors.accepting.items import Item, Labels, Letters, Rows
from collectors.accepting.journal import frames_of
from collectors.accounting.receipts import Receipt
from collectors.building.naming import Names
from collectors.formats.encodings import unzip
from collectors.rows import Defaults, RowsRead, check_allowed, too_many_fields
from collectors.rows.arrow import read_arrow
from collectors.rows.records import read_json, read_ndjson
from collectors.taps.asgi import Receive, Scope, Send
from collectors.taps.aside import Aside
from collectors.taps.hints import ENCODING
from collectors.taps.letters import Whose, line_apart, row_refused
from collectors.taps.ports import Ports
from collectors.taps.posted import Asked, Posted
from core.errors import Rejected
from core.tracing import trace_id

SOURCE = "api"
PATH = "/api/predictions"
READERS = {
    "application/json": read_json,
    "application/x-ndjson": read_ndjson,
    "application/vnd.apache.arrow.stream": read_arrow,
}


class RowsTap:
    def __init__(self, ports: Ports, names: Names) -> None:
        self._posted = Posted(ports, SOURCE, PATH, _whose)
        self._into, self._masks = ports.into, ports.masks
        self._limits, self._clock, self._names = ports.limits, ports.clock, names
        self._aside = Aside(ports.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._posted.answer(scope, receive, send, self._take)

    async def _take(self, receipt: Receipt, asked: Asked) -> dict[str, object]:
        read, frames = await self._aside.run(self._aside.weight(asked.headers, asked.body), self._read, asked)
        taken = await self._into.accept(frames, receipt)
        receipt.rest("accepted")  # a call without any rows
        if read.labels and len(read.labels.batch):
            await self._into.accept(frames_of(Labels(read.labels.batch, events=0)))
        rejected = [{"row": r.row, "field": r.field, "reason": r.reason} for r in read.rejected]
        return {"accepted": taken.accepted, "duplicate": taken.duplicate, "rejected": rejected}

    def _read(self, asked: Asked) -> tuple[RowsRead, Frames]:
        read = self._decoded(asked)
        if len(read.rejected) == 1 and not len(read.batch):
            read = read._replace(rejected=[line_apart(read.rejected[0], asked.headers)])
        read = self._masks.rows(read)
        check_allowed(read.rejected, len(read.batch))
        if len(read.fields) > self._limits.fields_per_row:
            raise too_many_fields(self._limits)
        items: list[Item] = [Rows(read.batch, read.fields, read.new)] if len(read.batch) else []
        if read.rejected:
            sent = self._posted.sent(asked.headers, "", b"")
            letters = [self._masks.letter(row_refused(sent, row)).cut() for row in read.rejected]
            items.append(Letters(letters, events=0 if items else 1))
        return read, [framed for item in items for framed in frames_of(item)]

    def _decoded(self, asked: Asked) -> RowsRead:
        content_type = asked.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        reader = READERS.get(content_type)
        if reader is None:
            accepted = ", ".join(READERS)
            raise Rejected(415, "bad_content_type", f"'{content_type}' is not one of: {accepted}", "content-type")
        plain = unzip(asked.body, self._limits.body_bytes, asked.headers.get(ENCODING, ""))
        return reader(plain, self._defaults(asked), self._names)

    def _defaults(self, asked: Asked) -> Defaults:
        said = asked.parameters("model", "version", "namespace")
        return Defaults(
            said.get("namespace") or "default",
            said.get("model", ""),
            said.get("version", ""),
            SOURCE,
            self._clock(),
            trace_id(asked.headers.get("traceparent", "")),
            self._limits,
            asked.allowed,
        )


def _whose(query: str) -> Whose:
    said = parse_qs(query)
    return Whose(said.get("namespace", ["default"])[-1], said["model"][-1]) if "model" in said else Whose()
