"""POST /api/predictions: Tidemark's own rows, as JSON, NDJSON or an Arrow IPC stream."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import ParamSpec, TypeVar
from urllib.parse import parse_qs

from collectors.collector import Accepted, Into
from collectors.formats.body import unzip
from collectors.journal import rows_frames
from collectors.naming import Names
from collectors.rows import Defaults, RowsRead, too_many_fields
from collectors.rows.arrow import read_arrow
from collectors.rows.records import read_json, read_ndjson
from collectors.taps.asgi import (
    THREAD_BYTES,
    Receive,
    Scope,
    Send,
    answer_error,
    answer_json,
    as_rejected,
    header_map,
    read_body,
)
from collectors.taps.letters import Sent, Whose, refused, row_refused
from core.config import Limits
from core.errors import Overloaded, Rejected
from core.metrics import Metrics
from core.tracing import span, trace_id

SOURCE = "api"
PATH = "/api/predictions"
READERS = {
    "application/json": read_json,
    "application/x-ndjson": read_ndjson,
    "application/vnd.apache.arrow.stream": read_arrow,
}

P = ParamSpec("P")
T = TypeVar("T")


async def _here(work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What asyncio.to_thread does, in this thread."""
    return work(*args, **named)


class RowsTap:
    def __init__(self, into: Into, names: Names, limits: Limits, metrics: Metrics, clock: Callable[[], int]) -> None:
        self._collector, self._journal = into
        self._names, self._limits, self._clock = names, limits, clock
        self._events = {name: metrics.events.labels(SOURCE, name) for name in ("accepted", "rejected", "shed", "error")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_map(scope)
        query, body = scope["query_string"].decode("latin-1"), b""
        try:
            body = await read_body(receive, headers, self._limits.body_bytes)
            with span("receive", headers, tap=SOURCE):
                answer = await self._take(headers, query, body)
            self._events["accepted"].inc()
            await answer_json(send, 202, answer)
        except Overloaded as error:
            self._events["shed"].inc()
            await answer_error(send, error)
        except Exception as failure:
            rejected = as_rejected(failure)
            self._events["error" if rejected.status >= 500 else "rejected"].inc()
            self._collector.dead_letter(refused(self._sent(headers, query, body), rejected, _whose(query)))
            await answer_error(send, rejected)

    async def _take(self, headers: Mapping[str, str], query: str, body: bytes) -> dict[str, object]:
        work = asyncio.to_thread if len(body) > THREAD_BYTES else _here
        read, frames = await work(self._read, headers, query, body)
        with ExitStack() as written:
            for frame in frames:
                written.enter_context(await self._journal.append(frame))
            taken = await work(self._hand_over, read, headers)
        rejected = [{"row": r.row, "field": r.field, "reason": r.reason} for r in read.rejected]
        return {"accepted": taken.accepted, "duplicate": taken.duplicate, "rejected": rejected}

    def _hand_over(self, read: RowsRead, headers: Mapping[str, str]) -> Accepted:
        taken = self._collector.rows(read.batch, read.fields, read.new)
        for row in read.rejected:
            self._collector.dead_letter(row_refused(self._sent(headers, "", b""), row))
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
        plain = unzip(body, self._limits.body_bytes)
        return reader(plain, self._defaults(headers, query), self._names)

    def _defaults(self, headers: Mapping[str, str], query: str) -> Defaults:
        said = {name: values[-1] for name, values in parse_qs(query).items()}
        if unknown := said.keys() - {"model", "version", "namespace"}:
            raise Rejected(400, "unknown_key", "known parameters: model, version, namespace", min(unknown))
        return Defaults(
            said.get("namespace", "default"),
            said.get("model", ""),
            said.get("version", ""),
            SOURCE,
            self._clock(),
            trace_id(headers.get("traceparent", "")),
            self._limits,
        )

    def _sent(self, headers: Mapping[str, str], query: str, body: bytes) -> Sent:
        return Sent(self._clock(), SOURCE, f"{PATH}?{query}" if query else PATH, headers, body)


def _whose(query: str) -> Whose:
    said = parse_qs(query)
    return Whose(said.get("namespace", ["default"])[-1], said["model"][-1]) if "model" in said else Whose()
