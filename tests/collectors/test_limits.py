"""Every limit refuses one too many, by its name in the configuration, and lets through what is just within."""

import base64
import gzip
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pytest
from sent import NOW

from collectors.building.naming import Names
from collectors.cloudevents.events import read
from collectors.formats import Hints, decode
from collectors.rows import Defaults, RowsRead
from collectors.rows.arrow import read_arrow
from collectors.rows.records import read_json, read_ndjson
from collectors.taps.events import half_of
from core.config import Config, Limits
from core.errors import Rejected

NAMES = Names(Config())
# tests/poison, tests/taps, tests/tidemark/test_access_limits.py
ELSEWHERE = {"headers", "header_bytes", "spool_bytes", "body_seconds", "concurrent_requests"}
EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "i",
    "ce-source": "s",
    "ce-type": "org.kubeflow.serving.inference.request",
    "ce-inferenceservicename": "m",
    "content-type": "application/json",
}


def inference(body: Any, **limits: int) -> object:
    return decode(orjson.dumps(body), "request", Hints(limits=Limits(**limits)))


def tensors(count: int, size: int = 1) -> dict[str, Any]:
    return {
        "inputs": [{"name": f"x{n}", "shape": [size], "datatype": "FP64", "data": [1] * size} for n in range(count)]
    }


def event(**said: str) -> Callable[..., object]:
    def send(**limits: int) -> object:
        headers = {**EVENT, **{f"ce-{name}": value for name, value in said.items()}}
        (found,) = read(headers, b'{"instances":[1]}')
        assert not isinstance(found, Rejected)
        return half_of(found, headers, NOW, Limits(**limits))

    return send


def batch(count: int, **limits: int) -> object:
    headers = {"content-type": "application/cloudevents-batch+json"}
    return read(headers, orjson.dumps([{}] * count), Limits(**limits))


def taken(found: RowsRead) -> RowsRead:
    """Raises what the first bad row was refused for."""
    for row in found.rejected:
        raise Rejected(413, row.code, row.reason, row.field)
    return found


def json_rows(rows: list[Any], **limits: int) -> object:
    body = orjson.dumps({"model": "m", "predictions": rows})
    return taken(read_json(body, Defaults("n", "", "", "api", NOW, limits=Limits(**limits)), NAMES))


def lines(rows: list[Any], **limits: int) -> object:
    body = b"\n".join(map(orjson.dumps, rows))
    return taken(read_ndjson(body, Defaults("n", "m", "", "api", NOW, limits=Limits(**limits)), NAMES))


def arrow(columns: dict[str, Any], **limits: int) -> object:
    rows = pa.RecordBatch.from_pydict(columns)
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, rows.schema) as writer:
        writer.write_batch(rows)
    defaults = Defaults("n", "m", "", "api", NOW, limits=Limits(**limits))
    return taken(read_arrow(buffer.getvalue().to_pybytes(), defaults, NAMES))


def many_bad(**limits: int) -> object:
    return read_json(b'{"predictions":[1,2,3]}', Defaults("n", "m", "", "api", NOW, limits=Limits(**limits)), NAMES)


def nested(**limits: int) -> object:
    return inference({"instances": [1], "x": [[[[[[[[1]]]]]]]]}, **limits)


def zipped(**limits: int) -> object:
    body = gzip.compress(b'{"instances":[1]}' + b" " * 2_000)
    return decode(body, "request", Hints(limits=Limits(**limits)))


LONG = "n" * 100
# What is sent, the limit that refuses it, and one that does not.
CASES: list[tuple[str, Callable[..., object], int, int]] = [
    ("body_bytes", zipped, 1_024, 4_096),
    ("nesting", nested, 8, 9),
    ("containers", lambda **s: inference({"instances": [[]] * 1_500}, **s), 1_024, 1_502),
    ("containers", lambda **s: json_rows([{}] * 1_500, **s), 1_024, 1_502),
    ("rows_per_request", lambda **s: inference({"instances": [1, 2, 3]}, **s), 2, 3),
    ("rows_per_request", lambda **s: inference(tensors(1, 3), **s), 2, 3),
    ("rows_per_request", lambda **s: json_rows([{}] * 3, **s), 2, 3),
    ("rows_per_request", lambda **s: lines([{}] * 3, **s), 2, 3),
    ("rows_per_request", lambda **s: arrow({"inputs.x": [1, 2, 3]}, **s), 2, 3),
    ("bad_rows_per_request", many_bad, 2, 3),
    ("models_per_request", lambda **s: json_rows([{"model": str(n)} for n in range(3)], **s), 2, 3),
    ("models_per_request", lambda **s: arrow({"version": ["1", "2", "3"]}, **s), 2, 3),
    ("cells_per_request", lambda **s: inference(tensors(1, 1_500), **s), 1_024, 1_500),
    ("cells_per_request", lambda **s: inference({"instances": [{str(n): 1} for n in range(40)]}, **s), 1_024, 1_600),
    ("cells_per_request", lambda **s: arrow({f"inputs.{n}": pa.nulls(600) for n in range(2)}, **s), 1_024, 1_200),
    ("fields_per_row", lambda **s: inference(tensors(3), **s), 2, 3),
    ("fields_per_row", lambda **s: inference({"instances": [[1, 2, 3]]}, **s), 2, 3),
    ("fields_per_row", lambda **s: json_rows([{"inputs": {"a": 1, "b": 2, "c": 3}}], **s), 2, 3),
    ("fields_per_row", lambda **s: json_rows([{"inputs": {n: 1}} for n in "abc"], **s), 2, 3),
    ("fields_per_row", lambda **s: arrow({f"inputs.{n}": [1] for n in "abc"}, **s), 2, 3),
    ("tensors", lambda **s: inference(tensors(3), **s), 2, 3),
    ("events_per_batch", lambda **s: batch(3, **s), 2, 3),
    ("name_length", lambda **s: inference({"instances": [{LONG: 1}]}, **s), 64, 100),
    ("name_length", lambda **s: inference({"id": LONG, "instances": [1]}, **s), 64, 100),
    ("name_length", lambda **s: inference({"data": {"names": [LONG], "ndarray": [[1]]}}, **s), 64, 100),
    ("name_length", event(id=LONG), 64, 100),
    ("name_length", event(inferenceservicename=LONG), 64, 100),
    ("name_length", event(metadata=orjson.dumps({LONG: "v"}).decode()), 64, 100),
    ("name_length", lambda **s: json_rows([{"id": LONG}], **s), 64, 100),
    ("name_length", lambda **s: json_rows([{"inputs": {LONG: 1}}], **s), 64, 100),
    ("name_length", lambda **s: arrow({"id": [LONG]}, **s), 64, 100),
    ("name_length", lambda **s: arrow({"version": [LONG]}, **s), 64, 100),
    ("name_length", lambda **s: arrow({f"inputs.{LONG}": [1]}, **s), 64, 107),
    ("tags", event(metadata='{"a":"1","b":"2"}'), 1, 2),
    ("tags", lambda **s: json_rows([{"tags": {"a": "1", "b": "2"}}], **s), 1, 2),
    ("tags", lambda **s: arrow({"tags.a": ["1"], "tags.b": ["2"]}, **s), 1, 2),
    ("tag_length", event(annotations=orjson.dumps({"t": LONG}).decode()), 64, 100),
    ("tag_length", lambda **s: json_rows([{"tags": {"t": LONG}}], **s), 64, 100),
    ("tag_length", lambda **s: arrow({"tags.t": [LONG]}, **s), 64, 100),
]


@pytest.mark.parametrize(("key", "send", "over", "within"), CASES)
def test_a_refusal_names_the_limit_and_what_is_within_is_taken(
    key: str, send: Callable[..., object], over: int, within: int
) -> None:
    with pytest.raises(Rejected, match=rf"limits\.{key}\b") as caught:
        send(**{key: over})
    assert 400 <= caught.value.status < 500
    assert send(**{key: within})


def test_every_limit_is_tried() -> None:
    assert {key for key, *_ in CASES} | ELSEWHERE == set(Limits.model_fields)


def test_packed_events_of_one_batch_share_the_limit() -> None:
    each = {name.removeprefix("ce-"): value for name, value in EVENT.items() if name.startswith("ce-")}
    data = gzip.compress(b'{"instances":[1]}' + b" " * 600)
    body = orjson.dumps([{**each, "data_base64": base64.b64encode(data).decode()}] * 3)
    found = read({"content-type": "application/cloudevents-batch+json"}, body, Limits(body_bytes=1_500))
    assert [isinstance(one, Rejected) for one in found] == [False, False, True]
