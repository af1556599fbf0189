"""Bodies that came packed, unpacked within a limit: a few bytes may unpack to gigabytes.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1
"""

import zlib
from collections.abc import Callable
from functools import partial

import pyarrow as pa

from core.errors import Rejected

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_GZIP_WINDOW = zlib.MAX_WBITS | 16
_CHUNK_BYTES = 1 << 20
_MOST_CODINGS = 4  # one over the other
_BAD = {"gzip": "bad_gzip", "deflate": "bad_deflate", "brotli": "bad_brotli", "zstd": "bad_zstd"}


def unzip(body: bytes, most_bytes: int, encoding: str = "") -> bytes:
    """`body` without the content codings of `encoding`, and without a gzip or zstd coding that was not announced:
    KServe's logger passes packed bodies on without their Content-Encoding.

    Rejected: 413 when it unpacks to over `most_bytes`, 400 when it cannot be unpacked, 415 for an unknown coding.
    """
    if encoding:
        body = _undone(body, most_bytes, encoding)
    if body[:2] == _GZIP:
        body = _gunzip(body, most_bytes)
    elif body[:4] == _ZSTD:
        body = _unpacked("zstd", body, most_bytes)
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    return body


def is_packed(body: bytes) -> bool:
    """Whether `unzip` would unpack it though nothing says so."""
    return body[:2] == _GZIP or body[:4] == _ZSTD


def _undone(body: bytes, most_bytes: int, encoding: str) -> bytes:
    codings = [coding.strip() for coding in encoding.lower().split(",")]
    known = all(coding in _CODINGS for coding in codings)
    if not known or len(codings) > _MOST_CODINGS:
        detail = f"{encoding[:100]!r} is not read; accepted: {', '.join(filter(None, _CODINGS))}"
        raise Rejected(415, "unknown_encoding", detail, "content-encoding")
    for coding in reversed(codings):
        body = _CODINGS[coding](body, most_bytes) if body else body
    return body


def _plain(body: bytes, most_bytes: int) -> bytes:
    return body


def _if_zipped(body: bytes, most_bytes: int) -> bytes:
    """Some proxies unpack a body and leave the header: what is no gzip is taken as it is."""
    return _gunzip(body, most_bytes) if body[:2] == _GZIP else body


def _gunzip(body: bytes, most_bytes: int) -> bytes:
    """All members of a gzip file (RFC 1952, section 2.2), one after the other."""
    parts, size, rest = [], 0, body
    while rest:
        unzipped, rest = _inflate(rest, most_bytes - size, _GZIP_WINDOW)
        size += len(unzipped)
        parts.append(unzipped)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _deflate(body: bytes, most_bytes: int) -> bytes:
    """In a zlib frame as the RFC says, or bare as some send it."""
    framed = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    unzipped, rest = _inflate(body, most_bytes, zlib.MAX_WBITS if framed else -zlib.MAX_WBITS)
    if rest:
        raise Rejected(400, "bad_deflate", f"{len(rest)} bytes after the end of the packed data")
    return unzipped


def _inflate(body: bytes, most_bytes: int, window: int) -> tuple[bytes, bytes]:
    unzip = zlib.decompressobj(wbits=window)
    name = "gzip" if window == _GZIP_WINDOW else "deflate"
    try:
        unzipped = unzip.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise Rejected(400, _BAD[name], f"not {name}: {error}") from None
    if len(unzipped) > most_bytes:
        raise _too_large(most_bytes)
    if not unzip.eof:
        raise Rejected(400, _BAD[name], f"the {name} data ends early")
    return unzipped, unzip.unused_data


def _unpacked(codec: str, body: bytes, most_bytes: int) -> bytes:
    parts, size = [], 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), codec) as stream:
            while part := stream.read(_CHUNK_BYTES):
                parts.append(part)
                size += len(part)
                if size > most_bytes:
                    raise _too_large(most_bytes)
    except (OSError, pa.ArrowException) as error:
        raise Rejected(400, _BAD[codec], f"not {codec}: {str(error)[:200]}") from None
    return b"".join(parts)


def _too_large(most_bytes: int) -> Rejected:
    return Rejected(413, "too_large", f"the body unpacks to over {most_bytes} bytes (limits.body_bytes)")


_CODINGS: dict[str, Callable[[bytes, int], bytes]] = {
    "": _plain,
    "identity": _plain,
    "gzip": _if_zipped,
    "x-gzip": _if_zipped,
    "deflate": _deflate,
    "br": partial(_unpacked, "brotli"),
    "zstd": partial(_unpacked, "zstd"),
}
