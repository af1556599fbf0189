"""Dead letters of what was refused at once: each is a call that can be made again, cut down to the part at fault."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

from collectors.cloudevents.events import Event, identity, read
from collectors.rows import BadRow
from collectors.taps.asgi import kept_headers
from collectors.taps.aside import THREAD_BYTES
from collectors.taps.hints import JSON_LENGTH
from core.errors import Rejected
from core.records import DeadLetter

NDJSON = "application/x-ndjson"
# Of what is imported from a file; CELLS of a line of CSV alone: how many it has, and its header.
FIRST_ROW, FILE, ROW = "x-tidemark-first-row", "x-tidemark-file", "x-tidemark-row"
CELLS = "x-tidemark-cells"
_MANY = re.compile("[0-9]{1,18}")
_TWO = re.compile("([0-9]{1,18})/([0-9]{1,18})")
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '%"')


class Sent(NamedTuple):
    """A call as it came; `received` is microseconds since 1970, `path` with its query, `headers` in lower case."""

    received: int
    source: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Whose(NamedTuple):
    """What a refused call says of the model it is about; '' where it does not, or cannot be read that far."""

    namespace: str = ""
    model: str = ""
    id: str = ""


def refused(sent: Sent, error: Rejected, whose: Whose) -> DeadLetter:
    why = (error.code, error.detail, error.field)
    return DeadLetter(
        sent.received,
        sent.source,
        *why,
        sent.body,
        *whose,
        kept_headers(sent.headers),
        _length(sent),
        path=sent.path,
    )


def row_refused(sent: Sent, row: BadRow) -> DeadLetter:
    """The row alone, as a line of NDJSON; what it had from the rest of its call is in the path.

    Of a file that is imported its headers name the row.
    """
    named = {"namespace": row.namespace, "model": row.model, "version": row.version}
    query = urlencode({name: value for name, value in named.items() if value}, errors="replace")
    kept = {name: value for name, value in sent.headers.items() if name in ("traceparent", FILE, CELLS)}
    first = sent.headers.get(FIRST_ROW, "")
    place = {ROW: str(int(first) + row.row)} if _MANY.fullmatch(first) else {}
    path = f"{sent.path}?{query}" if query else sent.path
    alone = Sent(sent.received, sent.source, path, {"content-type": NDJSON, **kept, **place}, row.body)
    return refused(alone, Rejected(400, row.code, row.reason, row.field), Whose(row.namespace, row.model))


def line_apart(row: BadRow, headers: Mapping[str, str]) -> BadRow:
    """`row`, all of a call, as what it is when its headers tell of a line of CSV: its text says that less well."""
    if not (counted := _TWO.fullmatch(headers.get(CELLS, ""))):
        return row
    error = Rejected(400, "bad_cells", f"{counted[1]} cells, the header has {counted[2]}")
    return row._replace(code=error.code, reason=error.detail)


def whose_event(headers: Mapping[str, str], body: bytes) -> Whose:
    """As far as the headers say, or a structured event of a size that is parsed twice without harm."""
    try:
        (event,) = read(headers, body if len(body) <= THREAD_BYTES else b"")
        return Whose(*identity(event)) if isinstance(event, Event) else Whose()
    except (Rejected, ValueError):
        return Whose()


def event_alone(event: Event, headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with which the payload of one event out of a batch is a call of its own (binary mode)."""
    attributes = {**event.extensions, "type": event.type, "id": event.id, "source": event.source}
    attributes.pop("datacontenttype", None)
    texts = {name.lower(): value for name, value in attributes.items() if name.isascii()}
    said = {f"ce-{name}": quote(value, safe=_PRINTABLE, errors="replace") for name, value in texts.items()}
    beside = {name: headers[name] for name in (JSON_LENGTH, "traceparent") if name in headers}
    return {**beside, **said, "content-type": event.content_type}


def _length(sent: Sent) -> int:
    """-1 for a body that is whole. Of one that was not read to its end, at least 1, is known what its sender said."""
    announced = sent.headers.get("content-length", "")
    if sent.body or not (announced.isdigit() or "transfer-encoding" in sent.headers):
        return -1
    return max(int(announced or 1), 0) or -1
