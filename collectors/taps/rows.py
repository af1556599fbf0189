"""POST /api/predictions: Tidemark's own rows, as JSON, NDJSON or an Arrow IPC stream."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from urllib.parse import parse_qs

from collectors.collector import Accepted, Into
from collectors.formats.encodings import unzip
from collectors.journal import rows_frames
from collectors.naming import Names
from collectors.rows import BadRow, Defaults, RowsRead, too_many_fields
from collectors.rows.arrow import read_arrow
from collectors.rows.records import read_json, read_ndjson
from collectors.taps.asgi import (
    Receive,
    Scope,
    Send,
    answer_error,
    answer_json,
    as_rejected,
    header_map,
    kept_headers,
    read_body,
)
from collectors.taps.aside import Aside
from collectors.taps.hints import ENCODING
from core.config import Limits
from core.errors import Overloaded, Rejected
from core.metrics import Metrics
from core.records import DeadLetter
from core.tracing import span, trace_id

SOURCE = "api"
READERS = {
    "application/json": read_json,
    "application/x-ndjson": read_ndjson,
    "application/vnd.apache.arrow.stream": read_arrow,
}


class RowsTap:
    def __init__(self, into: Into, names: Names, limits: Limits, metrics: Metrics, clock: Callable[[], int]) -> None:
        self._collector, self._journal = into
        self._names, self._limits, self._clock, self._aside = names, limits, clock, Aside(limits)
        self._events = {name: metrics.events.labels(SOURCE, name) for name in ("accepted", "rejected", "shed", "error")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_map(scope)
        body = b""
        try:
            body = await read_body(receive, headers, self._limits.body_bytes)
            with span("receive", headers, tap=SOURCE):
                query = scope["query_string"].decode("latin-1")
                answer = await self._take(headers, query, body)
            self._events["accepted"].inc()
            await answer_json(send, 202, answer)
        except Overloaded as error:
            self._events["shed"].inc()
            await answer_error(send, error)
        except Exception as failure:
            rejected = as_rejected(failure)
            self._events["error" if rejected.status >= 500 else "rejected"].inc()
            self._collector.dead_letter(self._letter(headers, rejected, body))
            await answer_error(send, rejected)

    async def _take(self, headers: Mapping[str, str], query: str, body: bytes) -> dict[str, object]:
        weight = self._aside.weight(headers, body)
        read, frames = await self._aside.run(weight, self._read, headers, query, body)
        with ExitStack() as written:
            for frame in frames:
                written.enter_context(await self._journal.append(frame))
            taken = await self._aside.run(weight, self._hand_over, read)
        rejected = [{"row": r.row, "field": r.field, "reason": r.reason} for r in read.rejected]
        return {"accepted": taken.accepted, "duplicate": taken.duplicate, "rejected": rejected}

    def _hand_over(self, read: RowsRead) -> Accepted:
        taken = self._collector.rows(read.batch, read.fields, read.new)
        for row in read.rejected:
            self._collector.dead_letter(self._bad_row(row))
        return taken

    def _read(self, headers: Mapping[str, str], query: str, body: bytes) -> tuple[RowsRead, list[bytes]]:
        self._collector.check_room()
        read = self._decoded(headers, query, body)
        if len(read.fields) > self._limits.fields_per_row:
            raise too_many_fields(self._limits)
        return read, rows_frames(read.batch, read.fields)

    def _decoded(self, headers: Mapping[str, str], query: str, body: bytes) -> RowsRead:
        content_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        reader = READERS.get(content_type)
        if reader is None:
            accepted = ", ".join(READERS)
            raise Rejected(415, "bad_content_type", f"'{content_type}' is not one of: {accepted}", "content-type")
        plain = unzip(body, self._limits.body_bytes, headers.get(ENCODING, ""))
        return reader(plain, self._defaults(headers, query), self._names)

    def _defaults(self, headers: Mapping[str, str], query: str) -> Defaults:
        said = {name: values[-1] for name, values in parse_qs(query).items()}
        if unknown := said.keys() - {"model", "version", "namespace"}:
            raise Rejected(400, "unknown_key", "known parameters: model, version, namespace", min(unknown))
        return Defaults(
            said.get("namespace") or "default",
            said.get("model", ""),
            said.get("version", ""),
            SOURCE,
            self._clock(),
            trace_id(headers.get("traceparent", "")),
            self._limits,
        )

    def _bad_row(self, row: BadRow) -> DeadLetter:
        return DeadLetter(self._clock(), SOURCE, row.code, row.reason, row.field, row.body)

    def _letter(self, headers: Mapping[str, str], error: Rejected, body: bytes) -> DeadLetter:
        kept = kept_headers(headers)
        return DeadLetter(self._clock(), SOURCE, error.code, error.detail, error.field, body, headers=kept)
