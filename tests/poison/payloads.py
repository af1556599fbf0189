"""Bodies of inference requests that mean harm, by what they do. Each comes with the headers it is sent with."""

import gzip
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import orjson
from bombs import packed, zeros

LENGTH = "inference-header-content-length"


class Poison(NamedTuple):
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})


def v2(data: str, shape: str = "[2]", datatype: str = "FP64") -> bytes:
    return f'{{"inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}'.encode()


def tail(size: str, data: bytes, datatype: str = "FP32", shape: str = "[2]") -> Poison:
    """A tensor of `size` bytes of binary data, which is `data`."""
    parameters = f'"parameters":{{"binary_data_size":{size}}}'
    head = f'{{"inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}",{parameters}}}]}}'.encode()
    return Poison(head + data, {"content-type": "application/octet-stream", LENGTH: str(len(head))})


_GOOD = v2("[1,2]")
_WIDE = orjson.dumps({"instances": [{f"f{n}": 1 for n in range(10**6)}]})

PAYLOADS = {
    "brackets": Poison(b"[" * 10_000_000),
    "brackets-in-a-key": Poison(b'{"instances":' + b"[" * 10_000_000),
    "objects": Poison(b'{"a":' * 2_000_000),
    "closed-brackets": Poison(b'{"instances":' + b"[" * 900 + b"1" + b"]" * 900 + b"}"),
    "flat-brackets": Poison(b'{"instances":[' + b"[]," * 3_000_000 + b"[]]}"),
    "nan-datum": Poison(v2("[NaN,Infinity]")),
    "nan-shape": Poison(v2("[1,2]", "[NaN]")),
    "infinite-shape": Poison(v2("[1,2]", "[-Infinity]")),
    "nan-name": Poison(b'{"inputs":[{"name":NaN,"shape":[1],"datatype":"FP64","data":[1]}]}'),
    "nan-id": Poison(b'{"id":NaN,"model_version":-Infinity,"instances":[1]}'),
    "nan-alone": Poison(b"NaN"),
    "infinite-with-huge-integers": Poison(b'{"instances":[Infinity,' + b"1" * 5000 + b"]}"),
    "infinite-with-large-integers": Poison(b'{"instances":[Infinity,' + b"1" * 30 + b"]}"),
    "surrogate-name": Poison(b'{"instances":[{"\\ud800":1}]}'),
    "surrogate-text": Poison(b'{"instances":["\\udfff"]}'),
    "surrogate-beside-infinity": Poison(b'{"instances":["\\udfff",Infinity]}'),
    "a-million-fields": Poison(_WIDE),
    "a-million-rows-of-none": Poison(v2("[]", "[1000000000,0]")),
    "a-thousand-single-values-beside-many-rows": Poison(
        orjson.dumps(
            {
                "inputs": [
                    {"name": f"x{n}", "shape": [size], "datatype": "FP64", "data": [1] * size}
                    for n, size in enumerate([100_000] + [2] * 5_000)
                ]
            }
        )
    ),
    "shape-negative": Poison(v2("[1]", "[-1]")),
    "shape-beyond-64-bits": Poison(v2("[1]", "[9223372036854775808]")),
    "shape-whose-product-overflows": Poison(v2("[]", "[4294967296,4294967296]")),
    "shape-of-text": Poison(v2("[1]", '["1"]')),
    "shape-of-40-axes": Poison(v2("[1]", "[" + "1," * 39 + "1]")),
    "shape-and-data-disagree": Poison(v2("[1,2,3]", "[2,2]")),
    "ragged": Poison(v2("[[1,2],[3]]", "[2,2]")),
    "bomb": Poison(zeros(10 * 2**30)),
    "bomb-in-a-bomb": Poison(gzip.compress(zeros(10 * 2**30)), {"content-encoding": "gzip, gzip"}),
    "bomb-of-deflate": Poison(zeros(2**30)[10:], {"content-encoding": "deflate"}),
    "bomb-of-brotli": Poison(packed("brotli", 2**28), {"content-encoding": "br"}),
    "bomb-of-zstd": Poison(packed("zstd", 2**28), {"content-encoding": "zstd"}),
    "unknown-coding": Poison(_GOOD, {"content-encoding": "snappy"}),
    "half-a-gzip": Poison(gzip.compress(_GOOD)[:-9]),
    "gzip-with-junk": Poison(gzip.compress(_GOOD) + b"junk"),
    "gzip-of-nothing": Poison(gzip.compress(b"")),
    "twice-the-same-key": Poison(b'{"instances":[1],"instances":[2],"id":"a","id":"b"}'),
    "ten-to-the-400": Poison(b'{"instances":[1' + b"0" * 400 + b"]}"),
    "ten-to-the-400-as-int64": Poison(v2("[1" + "0" * 400 + ",1]", "[2]", "INT64")),
    "nul-in-names": Poison(b'{"id":"\\u0000","instances":[{"a\\u0000b":"c\\u0000d"}]}'),
    "nul-bytes": Poison(b"\0" * 1000),
    "not-utf-8": Poison(b'{"instances":["\xff\xfe"]}'),
    "empty": Poison(b""),
    "length-negative": Poison(_GOOD, {LENGTH: "-1"}),
    "length-beyond": Poison(_GOOD, {LENGTH: "99999999999999999999"}),
    "length-no-number": Poison(_GOOD, {LENGTH: "many"}),
    "length-of-5000-digits": Poison(_GOOD, {LENGTH: "9" * 5000}),
    "tail-too-short": tail("8", b"\0" * 4),
    "tail-too-long": tail("4", b"\0" * 8),
    "tail-negative": tail("-8", b"\0" * 8),
    "tail-of-huge-size": tail("99999999999999999999999", b"\0" * 8),
    "bytes-that-lie": tail("8", b"\xff\xff\xff\x7f\0\0\0\0", "BYTES"),
    "bytes-cut-short": tail("6", b"\1\0\0\0a\1", "BYTES"),
    "bytes-not-utf-8": tail("10", b"\1\0\0\0\xff\1\0\0\0a", "BYTES"),
    "bytes-of-nothing": tail("400000", b"\0" * 400_000, "BYTES", "[100000]"),
    "a-long-name": Poison(orjson.dumps({"instances": [{"n" * 10**6: 1}]})),
    "a-long-id": Poison(orjson.dumps({"id": "i" * 10**6, "instances": [1]})),
}
