"""Bodies for /api/predictions that mean harm: JSON, NDJSON and Arrow, by what they do."""

import gzip
from collections.abc import Mapping

import numpy as np
import orjson
import pyarrow as pa
from bombs import lying, one_wide_list, shared, stream, zeros
from payloads import Poison

JSON, NDJSON, ARROW = "application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"
_WRONG = {
    "nan": b'{"inputs":{"a":NaN,"b":Infinity,"c":[-Infinity,NaN]},"latency":NaN}',
    "nan-in-scalars": b'{"status":NaN}',
    "infinite-weight": b'{"weight":Infinity}',
    "infinite-time": b'{"time":-Infinity}',
    "surrogates": b'{"inputs":{"\\ud800":"\\udfff"}}',
    "huge-integer": b'{"inputs":{"a":1' + b"0" * 400 + b"}}",
    "huge-weight": b'{"weight":9007199254740993}',
    "nul": b'{"id":"\\u0000","inputs":{"\\u0000":"\\u0000"},"tags":{"\\u0000":"\\u0000"}}',
    "no-name": b'{"inputs":{"":1}}',
    "twice-the-same-key": b'{"id":"a","id":"b","inputs":{"x":1,"x":"y"}}',
    "deep": b'{"inputs":{"a":' + b"[" * 500 + b"1" + b"]" * 500 + b"}}",
    "a-million-fields": b'{"inputs":{' + b",".join(b'"f%d":1' % n for n in range(10**6)) + b"}}",
    "a-long-name": b'{"inputs":{"' + b"n" * 10**6 + b'":1}}',
    "a-long-id": b'{"id":"' + b"i" * 10**6 + b'"}',
    "a-long-key": b'{"' + b"k" * 10**7 + b'":1}',
    "many-tags": orjson.dumps({"tags": {f"t{n}": "v" for n in range(1_000)}}),
    "a-long-tag": orjson.dumps({"tags": {"t": "v" * 10**6}}),
    "ragged": b'{"inputs":{"a":[[1,2],[3]]}}',
    "objects": b'{"inputs":{"a":{"b":1}}}',
    "not-utf-8": b'{"inputs":{"a":"\xff"}}',
}
_WHOLE = {
    "brackets": b"[" * 10_000_000,
    "brackets-inside": b'{"model":"m","predictions":' + b"[" * 10_000_000,
    "a-million-ones": b'{"model":"m","predictions":[' + b"1," * 999_999 + b"1]}",
    "two-million-rows": b'{"model":"m","predictions":[' + b"{}," * 1_999_999 + b"{}]}",
    "bomb": zeros(10 * 2**30),
    "half-a-gzip": gzip.compress(b'{"model":"m","predictions":[]}')[:-9],
    "nothing": b"",
    "nul-bytes": b"\0" * 1000,
}
_PLAIN = stream({"inputs.a": np.arange(8.0), "inputs.t": [f"text {n}" for n in range(8)]})
_ARROW = {
    "empty": b"",
    "nul-bytes": b"\0" * 1000,
    "cut": _PLAIN[: len(_PLAIN) // 2],
    "rows-that-lie": lying(_PLAIN, 8, 2**40),
    "rows-negative": lying(_PLAIN, 8, -8),
    "buffers-that-lie": lying(_PLAIN, 64, 2**40),
    "buffers-negative": lying(_PLAIN, 64, -64),
    "nulls-without-bytes": shared(1_000_000, 1_000),
    "one-wide-list": one_wide_list(500_000, 100_000),
    "unpacks-to-gigabytes": stream({"inputs.a": np.zeros(2**24)}, "zstd"),
    "one-text-named-by-all": stream(
        {"inputs.t": pa.DictionaryArray.from_arrays(np.zeros(10**6, np.int8), pa.array(["x" * 10**6]))}
    ),
    "text-that-is-not-utf-8": stream(
        {
            "inputs.t": pa.Array.from_buffers(
                pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
            )
        }
    ),
    "a-union": stream({"inputs.u": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])}),
    "times-beyond-the-calendar": stream({"time": pa.array([2**62], pa.timestamp("s")), "status": [5000]}),
    "a-million-bad-rows": stream({"status": np.full(10**6, -1, np.int32)}),
    "a-long-name": stream({"inputs." + "n" * 10**6: [1]}),
    "a-long-id": stream({"id": ["i" * 10**6, "short"]}),
    "a-wrong-key-of-a-megabyte": stream({"k" * 10**6: [1]}),
    "a-nul-in-the-model": stream({"model": ["a\0b", "a"], "namespace": ["c", "b\0c"]}),
    "not-finite": stream({"inputs.a": [np.nan, np.inf], "latency": [np.inf, np.nan], "weight": [np.nan, -np.inf]}),
}


def _all(prefix: str, content_type: str, bodies: Mapping[str, bytes]) -> dict[str, Poison]:
    return {f"{prefix}-{name}": Poison(body, {"content-type": content_type}) for name, body in bodies.items()}


ROWS = {
    **_all("json", JSON, {name: b'{"model":"m","predictions":[%s]}' % row for name, row in _WRONG.items()}),
    **_all("ndjson", NDJSON, _WRONG),
    **_all("json", JSON, _WHOLE),
    **_all("ndjson", NDJSON, _WHOLE),
    **_all("arrow", ARROW, _ARROW),
}
