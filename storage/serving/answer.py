"""What the store's HTTP server answers, in ClickHouse's form."""

import json
from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from core.errors import StoreError, StoreUnavailable

# From ClickHouse's HTTPHandler: status by error code. Everything else is 500.
_STATUS = {
    **dict.fromkeys((62, 6, 27, 33, 36, 43, 53, 72, 115, 117, 457), 400),
    **dict.fromkeys((194, 516), 401),
    **dict.fromkeys((164, 497), 403),
    **dict.fromkeys((16, 46, 47, 60, 81), 404),
    48: 501,
    159: 408,
    202: 503,
}
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
}
_CODECS = {"lz4": "lz4", "zstd": "zstd", "gzip": "gzip", "br": "brotli"}
MOST_BYTES = 1 << 30


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Work(NamedTuple):
    """What one statement did. `body` is in `format`; statements without a result have neither."""

    body: bytes = b""
    format: str = ""
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    seconds: float = 0.0


def done(work: Work, query_id: str, encodings: str) -> Answer:
    """200 with the whole result. `encodings` is the Accept-Encoding to honour, '' for none."""
    summary = {
        "read_rows": work.read_rows,
        "read_bytes": work.read_bytes,
        "written_rows": work.written_rows,
        "written_bytes": work.written_bytes,
        "elapsed_ns": int(work.seconds * 1e9),
    }
    headers = _common(query_id) | {
        "Content-Type": _CONTENT_TYPES.get(work.format, "application/octet-stream"),
        "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in summary.items()}),
    }
    if work.format:
        headers["X-ClickHouse-Format"] = work.format
    encoding = next((e for e in _CODECS if e in encodings), "") if work.body else ""
    if encoding:
        headers["Content-Encoding"] = encoding
    return Answer(200, headers, _packed(work.body, encoding) if encoding else work.body)


def failed(error: StoreError, query_id: str) -> Answer:
    code = error.code or (159 if isinstance(error, StoreUnavailable) else 1000)
    headers = _common(query_id) | {
        "X-ClickHouse-Exception-Code": str(code),
        "Content-Type": "text/plain; charset=UTF-8",
    }
    return Answer(_STATUS.get(code, 500), headers, f"Code: {code}. DB::Exception: {error}\n".encode())


def unpacked(body: bytes, encoding: str) -> bytes:
    """A request's body without its Content-Encoding; StoreError when it is not what it says."""
    if not encoding or encoding == "identity":
        return body
    if encoding not in _CODECS:
        raise StoreError(f"Content-Encoding {encoding} is not taken; {', '.join(_CODECS)} are", 48)
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), _CODECS[encoding]) as stream:
            whole: bytes = stream.read(MOST_BYTES + 1)
    except (OSError, pa.ArrowException) as e:
        raise StoreError(f"the body is no {encoding}: {e}", 36) from None
    if len(whole) > MOST_BYTES:
        raise StoreError(f"the body is over {MOST_BYTES} bytes", 36)
    return whole


def _packed(body: bytes, encoding: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, _CODECS[encoding]) as stream:
        stream.write(body)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _common(query_id: str) -> dict[str, str]:
    return {
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Server-Display-Name": "tidemark",
    }
