"""What passes on an infer path is stored as it was asked and answered, whatever happens to the recording."""

import gzip
import struct
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from raw_http import Upstream, connected, ok, post
from tap_service import Host, Service

from collectors.building.exchanges import Exchange
from collectors.collector import Collector
from core.config import Config

INFER = "/tap/m/v2/models/income/infer"
REQUEST = b'{"inputs": [{"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [1.5, 2.5]}]}'
RESPONSE = b'{"outputs": [{"name": "y", "shape": [2], "datatype": "FP64", "data": [3.5, 4.5]}]}'
ONE = b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.5]}]}'
ONE_ANSWERED = b'{"outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "data": [2.5]}]}'


def with_id(body: bytes, id: str, **more: str) -> bytes:
    return orjson.dumps({**orjson.loads(body), "id": id, **more})


def test_each_row_is_a_prediction_with_all_that_the_call_says(
    upstream: Upstream, start: Callable[..., Service]
) -> None:
    service = start(upstream, tags=("X-Country",))
    upstream.answering(ok(with_id(RESPONSE, "q", model_version="v3")))
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    post(service.port, INFER, with_id(REQUEST, "q"), traceparent=trace, x_country="NZ", x_other="no")
    rows = service.predictions(2)
    assert [row["id"] for row in rows] == ["q-0", "q-1"]
    assert [row["inputs_num"] for row in rows] == [{"x": 1.5}, {"x": 2.5}]
    assert [row["outputs_num"] for row in rows] == [{"y": 3.5}, {"y": 4.5}]
    for row in rows:
        assert (row["namespace"], row["model"], row["version"], row["source"]) == ("default", "income", "v3", "m")
        assert (row["status"], row["error"], row["trace_id"]) == (200, "", "a" * 32)
        assert (row["tags"], 0 < row["latency"] < 5) == ({"x-country": "NZ"}, True)
    assert service.events("m") == {"accepted": 1}


@pytest.mark.parametrize(
    ("path", "model", "version"),
    [
        ("/v2/models/income/infer", "income", ""),
        ("/v2/models/income/versions/7/infer", "income", "7"),
        ("/v2/models/caf%C3%A9%20au%20lait/infer", "café au lait", ""),
        ("/v2/pipelines/p/infer", "p", ""),
        ("/some/prefix/v2/models/income/versions/7/infer", "income", "7"),
        ("/v1/models/income:predict", "income", ""),
        ("/v1/models/income/versions/7:predict", "income", "7"),
        ("/prefix/v1/models/a%3Ab:predict", "a:b", ""),
        ("/api/v1.0/predictions", "m", ""),
        ("/seldon/ns/dep/api/v0.1/predictions?x=1", "m", ""),
    ],
)
def test_every_infer_path_says_its_model_and_version(
    service: Service, upstream: Upstream, path: str, model: str, version: str
) -> None:
    upstream.answering(ok(ONE_ANSWERED))
    post(service.port, f"/tap/m{path}", ONE)
    (row,) = service.predictions()
    assert (row["model"], row["version"], row["inputs_num"]) == (model, version, {"x": 1.5})


@pytest.mark.parametrize("path", ["/v2/models/income", "/v2/models/a/infer/", "/v2/health/ready", "/v1/models/income"])
def test_what_is_no_inference_is_not_recorded(service: Service, upstream: Upstream, path: str) -> None:
    upstream.answering(ok(ONE_ANSWERED))
    post(service.port, f"/tap/m{path}", ONE)
    post(service.port, INFER, ONE)
    assert [row["model"] for row in service.predictions()] == ["income"]
    assert service.events("m") == {"accepted": 1}


def test_v1_and_seldon_1_are_read(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(b'{"predictions": [[0.25, 0.75]]}'), ok(b'{"data": {"names": ["p"], "ndarray": [[1]]}}'))
    post(service.port, "/tap/m/v1/models/a:predict", b'{"instances": [{"age": 30, "country": "NZ"}]}')
    post(service.port, "/tap/m/api/v1.0/predictions", b'{"data": {"names": ["age", "pay"], "ndarray": [[1, 2]]}}')
    first, second = sorted(service.predictions(2), key=lambda row: str(row["model"]))
    assert (first["inputs_num"], first["inputs_cat"]) == ({"age": 30.0}, {"country": "NZ"})
    assert first["outputs_num"] == {"predictions_0": 0.25, "predictions_1": 0.75}
    assert (second["inputs_num"], second["outputs_num"]) == ({"age": 1.0, "pay": 2.0}, {"p": 1.0})


def test_binary_tensors_are_read_and_passed_untouched(service: Service, upstream: Upstream) -> None:
    tensor = {"shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    asked = orjson.dumps({"inputs": [{"name": "x", **tensor}]}) + struct.pack("<2f", 1.5, 2.5)
    said = orjson.dumps({"outputs": [{"name": "y", **tensor}]})
    answered = said + struct.pack("<2f", 0.25, 0.75)
    length = f"Inference-Header-Content-Length: {len(said)}"
    upstream.answering(ok(answered, "Content-Type: application/octet-stream", length))
    got = post(
        service.port,
        INFER,
        asked,
        content_type="application/octet-stream",
        inference_header_content_length=str(len(asked) - 8),
    )
    assert (got.body, upstream.requests[0].body) == (answered, asked)
    (row,) = service.predictions()
    assert row["inputs_num"] == {"x_0": 1.5, "x_1": 2.5}
    assert row["outputs_num"] == {"y_0": 0.25, "y_1": 0.75}


def test_zipped_bodies_are_read(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(gzip.compress(ONE_ANSWERED), "content-encoding: gzip"))
    post(service.port, INFER, gzip.compress(ONE), content_encoding="gzip")
    (row,) = service.predictions()
    assert (row["inputs_num"], row["outputs_num"]) == ({"x": 1.5}, {"y": 2.5})


def test_the_request_id_is_the_headers_else_the_requests_else_the_responses_else_new(
    service: Service, upstream: Upstream
) -> None:
    answered = with_id(ONE_ANSWERED, "of-the-response")
    upstream.answering(ok(answered), ok(answered), ok(answered), ok(ONE_ANSWERED))
    post(service.port, INFER, with_id(ONE, "of-the-request"), x_request_id="of-the-header")
    post(service.port, INFER, with_id(ONE, "of-the-request"))
    post(service.port, INFER, ONE)
    post(service.port, INFER, ONE)
    ids = [row["id"] for row in service.predictions(4)]
    assert {"of-the-header", "of-the-request", "of-the-response"} < set(ids)
    assert len({id for id in ids if len(id) == 32}) == 1


def test_a_call_sent_again_under_its_id_is_stored_once(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(ONE_ANSWERED))
    for _ in range(2):
        post(service.port, INFER, ONE, x_request_id="same")
    assert service.events("m", 2) == {"accepted": 2}
    assert len(service.predictions()) == 1


def test_a_call_that_asks_not_to_be_logged_is_not(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(ONE_ANSWERED))
    assert post(service.port, INFER, ONE, Seldon_Skip_Logging="True").body == ONE_ANSWERED
    post(service.port, INFER, ONE, x_request_id="logged")
    assert [row["id"] for row in service.predictions()] == ["logged"]
    assert service.events("m") == {"accepted": 1}
    assert upstream.requests[0].header(b"seldon-skip-logging") == [b"True"]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("500 Internal Server Error", b"Internal Server Error", "Internal Server Error"),
        ("400 Bad Request", b'{"error": "no such input"}', "no such input"),
        ("503 Service Unavailable", b"", ""),
        ("422 Unprocessable Content", gzip.compress(b'{"detail": "zipped"}', mtime=0), "zipped"),
    ],
)
def test_a_failed_call_is_stored_with_its_status_and_error(
    service: Service, upstream: Upstream, status: str, body: bytes, error: str
) -> None:
    upstream.answering(ok(body, status=status))
    assert post(service.port, INFER, ONE).body == body
    (row,) = service.predictions()
    assert (row["status"], row["error"], row["inputs_num"]) == (int(status[:3]), error, {"x": 1.5})
    assert not service.memory.letters


def test_a_failed_call_that_cannot_be_read_is_a_failed_inference_and_a_dead_letter(
    service: Service, upstream: Upstream
) -> None:
    upstream.answering(ok(b'{"error": "bad JSON"}', status="400 Bad Request"))
    post(service.port, INFER, b"{not json", authorization="Bearer s3cret", x_auth_token="s3cret", x_mine="1")
    (row,) = service.predictions()
    assert (row["model"], row["status"], row["error"]) == ("income", 400, "bad JSON")
    (letter,) = service.letters()
    assert (letter.source, letter.model, letter.reason, letter.body) == ("m", "income", "bad_json", b"{not json")
    assert dict(letter.headers)["x-mine"] == "1"
    assert "s3cret" not in str(letter.headers)


def test_an_answer_that_cannot_be_read_says_so_beside_its_request(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(b"<html>", "Set-Cookie: session=s3cret"))
    assert post(service.port, INFER, ONE).body == b"<html>"
    (row,) = service.predictions()
    assert (row["status"], row["inputs_num"], row["outputs_num"]) == (200, {"x": 1.5}, {})
    assert row["error"] == "the response could not be read"
    (letter,) = service.letters()
    assert (letter.body, letter.headers) == (b"<html>", (("content-length", "6"),))


def test_a_call_in_a_protocol_that_nobody_knows_is_two_dead_letters(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(b"\x00"))
    post(service.port, INFER, b"\x00", content_type="application/x-protobuf")
    assert [letter.reason for letter in service.letters(2)] == ["unknown_content_type", "bad_json"]
    assert service.events("m") == {"rejected": 1}
    assert not service.memory.rows


def test_more_fields_than_the_limit_are_a_dead_letter(upstream: Upstream, start: Callable[..., Service]) -> None:
    service = start(upstream, limits={"fields_per_row": 3})
    upstream.answering(ok(ONE_ANSWERED))
    tensors = [{"name": f"t{n}", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]} for n in range(2)]
    post(service.port, INFER, orjson.dumps({"inputs": tensors}))
    (letter,) = service.letters()
    assert (letter.reason, letter.detail) == (
        "too_many_fields",
        "4 fields; at most 3 are taken (limits.fields_per_row)",
    )


@pytest.mark.parametrize("large", ["request", "response"])
def test_a_body_over_the_limit_passes_whole_and_unrecorded(
    upstream: Upstream, start: Callable[..., Service], large: str
) -> None:
    service = start(upstream, limits={"body_bytes": 2**20})
    body = b"x" * (2**20 + 1)
    upstream.answering(ok(body if large == "response" else ONE_ANSWERED))
    got = post(service.port, INFER, body if large == "request" else ONE)
    assert len(upstream.requests[0].body) + len(got.body) > 2**20
    assert service.events("m") == {"shed": 1}
    post(service.port, "/tap/m/x", ONE)
    assert not service.memory.rows and not service.memory.letters


class Broken(Collector):
    def exchange(self, exchange: Exchange) -> None:
        raise RuntimeError("out of order")


def test_a_recording_that_fails_does_not_touch_the_answer(
    host: Host, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.answering(ok(ONE_ANSWERED))
    config: Any = {"taps": [{"name": "m", "upstream": upstream.url}]}
    with host.serving(Config.model_validate(config), Broken) as service, connected(service.port) as connection:
        for _ in range(3):
            head = f"POST {INFER} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(ONE)}\r\n\r\n"
            connection.sendall(head.encode() + ONE)
            assert connection.recv(10_000).endswith(ONE_ANSWERED)
        letters = service.letters(3)
    assert [(letter.reason, letter.detail) for letter in letters] == [("internal", "RuntimeError: out of order")] * 3
    assert [record.name for record in caplog.records] == ["tidemark.collector"] * 3


def test_a_full_log_lets_calls_pass_unrecorded(upstream: Upstream, start: Callable[..., Service]) -> None:
    service = start(upstream)
    service.memory.full = True
    upstream.answering(ok(ONE_ANSWERED))
    assert post(service.port, INFER, ONE).body == ONE_ANSWERED
    assert service.events("m") == {"shed": 1}
    assert not service.memory.rows and not service.memory.letters
