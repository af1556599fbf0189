"""Packed bodies, unpacked within a limit."""

import gzip
import zlib
from functools import partial

import pyarrow as pa
import pytest

from collectors.formats.encodings import unzip
from core.errors import Rejected

zipped = partial(gzip.compress, mtime=0)  # the same bytes each time: they name a test

MOST = 100_000
BODY = b'{"instances":[1,2]}' * 100


def bare_deflate(body: bytes) -> bytes:
    zipper = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return zipper.compress(body) + zipper.flush()


def packed(codec: str, body: bytes) -> bytes:
    found: bytes = pa.compress(body, codec=codec, asbytes=True)
    return found


def refused(body: bytes, encoding: str = "") -> tuple[int, str]:
    with pytest.raises(Rejected) as caught:
        unzip(body, MOST, encoding)
    assert caught.value.status != 413 or "limits.body_bytes" in caught.value.detail
    return caught.value.status, caught.value.code


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (BODY, ""),
        (BODY, "identity"),
        (zipped(BODY), ""),
        (zipped(BODY), "gzip"),
        (zipped(BODY), "X-GZIP"),
        (BODY, "gzip"),  # unpacked by a proxy that left the header
        (zipped(BODY[:50]) + zipped(BODY[50:]), "gzip"),
        (zlib.compress(BODY), "deflate"),
        (bare_deflate(BODY), "deflate"),
        (packed("brotli", BODY), "br"),
        (packed("zstd", BODY), "zstd"),
        (packed("zstd", BODY), ""),
        (packed("brotli", zlib.compress(BODY)), "deflate, br"),
    ],
)
def test_a_body_comes_out_of_every_coding_it_may_have(body: bytes, encoding: str) -> None:
    assert unzip(body, MOST, encoding) == BODY


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_no_body_is_no_body_in_every_coding(encoding: str) -> None:
    assert unzip(b"", MOST, encoding) == b""


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (zipped(bytes(MOST + 1)), ""),
        (zipped(bytes(MOST)) + zipped(b"1"), ""),
        (zipped(zipped(bytes(MOST + 1))), "gzip, gzip"),
        (zlib.compress(bytes(MOST + 1)), "deflate"),
        (bare_deflate(bytes(MOST + 1)), "deflate"),
        (packed("brotli", bytes(MOST + 1)), "br"),
        (packed("zstd", bytes(MOST + 1)), ""),
        (bytes(MOST + 1), ""),
    ],
)
def test_what_unpacks_to_more_than_the_limit_is_refused(body: bytes, encoding: str) -> None:
    assert refused(body, encoding) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (zipped(BODY)[:-1], "", "bad_gzip"),
        (zipped(BODY) + b"junk", "", "bad_gzip"),
        (zlib.compress(BODY)[:-1], "deflate", "bad_deflate"),
        (zlib.compress(BODY) + b"junk", "deflate", "bad_deflate"),
        (BODY, "deflate", "bad_deflate"),
        (packed("brotli", BODY)[:-1], "br", "bad_brotli"),
        (BODY, "br", "bad_brotli"),
        (packed("zstd", BODY)[:-1], "", "bad_zstd"),
        (BODY, "zstd", "bad_zstd"),
    ],
)
def test_what_cannot_be_unpacked_whole_is_refused(body: bytes, encoding: str, code: str) -> None:
    assert refused(body, encoding) == (400, code)


@pytest.mark.parametrize("encoding", ["compress", "gzip, snappy", "gzip,,", "gzip, gzip, gzip, gzip, gzip"])
def test_an_unknown_coding_or_too_many_of_them_is_refused(encoding: str) -> None:
    assert refused(BODY, encoding)[0] == 415 if "gzip,," not in encoding else unzip(BODY, MOST, encoding) == BODY
