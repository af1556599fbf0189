"""POST /api/predictions: Tidemark's own rows, as JSON, NDJSON or an Arrow IPC stream."""

from collections.abc import Mapping
from typing import NamedTuple
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
from collectors.taps.asgi import (
    Receive,
    Scope,
    Send,
    answer_error,
    answer_json,
    header_map,
    read_body,
)
from collectors.taps.aside import Aside
from collectors.taps.hints import ENCODING
from collectors.taps.letters import Sent, Whose, refused, row_refused
from collectors.taps.ports import Ports
from core.access import Namespaces, namespaces
from core.errors import Overloaded, Rejected
from core.tracing import span, trace_id

SOURCE = "api"
PATH = "/api/predictions"
READERS = {
    "application/json": read_json,
    "application/x-ndjson": read_ndjson,
    "application/vnd.apache.arrow.stream": read_arrow,
}


class RowsTap:
    def __init__(self, ports: Ports, names: Names) -> None:
        self._into, self._receipts, self._masks = ports.into, ports.receipts, ports.masks
        self._limits, self._clock, self._names = ports.limits, ports.clock, names
        self._aside = Aside(ports.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, receipt = header_map(scope), self._receipts.begin()
        query, body = scope["query_string"].decode("latin-1"), b""
        try:
            body = await read_body(receive, headers, self._limits.body_bytes)
            with span("receive", headers, quotes_errors=not self._masks.on, tap=SOURCE):
                answer = await self._take(receipt, _Asked(headers, query, body, namespaces(scope)))
            await answer_json(send, 202, answer)
        except Overloaded as error:
            receipt.rest("shed")
            await answer_error(send, error)
        except Exception as failure:
            rejected = self._masks.error(failure)
            receipt.rest("error" if rejected.status >= 500 else "rejected")
            letter = refused(self._sent(headers, query, body), rejected, _whose(query))
            await self._into.bury([self._masks.letter(letter)])
            await answer_error(send, rejected)
        finally:
            receipt.close()

    async def _take(self, receipt: Receipt, asked: "_Asked") -> dict[str, object]:
        read, frames = await self._aside.run(self._aside.weight(asked.headers, asked.body), self._read, asked)
        taken = await self._into.accept(frames, receipt)
        receipt.rest("accepted")  # a call without any rows
        if read.labels and len(read.labels.batch):
            await self._into.accept(frames_of(Labels(read.labels.batch, events=0)))
        rejected = [{"row": r.row, "field": r.field, "reason": r.reason} for r in read.rejected]
        return {"accepted": taken.accepted, "duplicate": taken.duplicate, "rejected": rejected}

    def _read(self, asked: "_Asked") -> tuple[RowsRead, Frames]:
        read = self._masks.rows(self._decoded(asked))
        check_allowed(read.rejected, len(read.batch))
        if len(read.fields) > self._limits.fields_per_row:
            raise too_many_fields(self._limits)
        items: list[Item] = [Rows(read.batch, read.fields, read.new)] if len(read.batch) else []
        if read.rejected:
            sent = self._sent(asked.headers, "", b"")
            letters = [self._masks.letter(row_refused(sent, row)).cut() for row in read.rejected]
            items.append(Letters(letters, events=0 if items else 1))
        return read, [framed for item in items for framed in frames_of(item)]

    def _decoded(self, asked: "_Asked") -> RowsRead:
        content_type = asked.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        reader = READERS.get(content_type)
        if reader is None:
            accepted = ", ".join(READERS)
            raise Rejected(415, "bad_content_type", f"'{content_type}' is not one of: {accepted}", "content-type")
        plain = unzip(asked.body, self._limits.body_bytes, asked.headers.get(ENCODING, ""))
        return reader(plain, self._defaults(asked), self._names)

    def _defaults(self, asked: "_Asked") -> Defaults:
        said = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        if unknown := said.keys() - {"model", "version", "namespace"}:
            raise Rejected(400, "unknown_key", "known parameters: model, version, namespace", min(unknown))
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

    def _sent(self, headers: Mapping[str, str], query: str, body: bytes) -> Sent:
        return Sent(self._clock(), SOURCE, f"{PATH}?{query}" if query else PATH, headers, body)


class _Asked(NamedTuple):
    """A call: header names in lower case, and the namespaces its sender may use."""

    headers: Mapping[str, str]
    query: str
    body: bytes
    allowed: Namespaces


def _whose(query: str) -> Whose:
    said = parse_qs(query)
    return Whose(said.get("namespace", ["default"])[-1], said["model"][-1]) if "model" in said else Whose()
