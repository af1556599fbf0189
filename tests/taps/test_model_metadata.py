"""Fields are called what the configuration says, else what the model's V2 metadata says, else what their tensor is."""

import gzip
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from raw_http import Request, Script, Upstream, Wire, ok, post
from tap_service import Service

INFER = "/tap/m/v2/models/income/infer"
REQUEST = orjson.dumps({"inputs": [{"name": "features", "shape": [1, 2], "datatype": "FP64", "data": [30, 7]}]})
RESPONSE = orjson.dumps({"outputs": [{"name": "p", "shape": [1, 2], "datatype": "FP64", "data": [0.25, 0.75]}]})
UNNAMED = {"features_0": 30.0, "features_1": 7.0}
NAMED = {"age": 30.0, "pay": 7.0}


def tensor(name: str, *names: str) -> dict[str, Any]:
    return {"name": name, "shape": [-1, len(names)], "datatype": "FP64", "parameters": {"names": names}}


def saying(metadata: Any) -> Script:
    return lambda wire: wire.send(ok(orjson.dumps(metadata)))


def inputs(service: Service, upstream: Upstream) -> dict[str, float]:
    upstream.answering(ok(RESPONSE))
    assert post(service.port, INFER, REQUEST).body == RESPONSE
    found: dict[str, float] = service.predictions()[-1]["inputs_num"]
    return found


def test_names_beside_the_tensors_are_taken(service: Service, upstream: Upstream) -> None:
    upstream.metadata = saying({"inputs": [tensor("features", "age", "pay")], "outputs": [tensor("p", "no", "yes")]})
    assert inputs(service, upstream) == NAMED
    assert service.predictions()[0]["outputs_num"] == {"no": 0.25, "yes": 0.75}


def test_one_input_a_feature_names_the_columns_of_one_tensor(service: Service, upstream: Upstream) -> None:
    upstream.metadata = saying({"inputs": [{"name": "age"}, {"name": "pay"}]})
    assert inputs(service, upstream) == NAMED


def test_the_configuration_wins(upstream: Upstream, start: Callable[..., Service]) -> None:
    upstream.metadata = saying({"inputs": [tensor("features", "a", "b")]})
    service = start(upstream, models={"income": {"names": {"features": ["age", "pay"]}}})
    assert inputs(service, upstream) == NAMED


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        {"inputs": "many"},
        {"inputs": [7, {}, {"name": 3}, {"name": "features", "parameters": []}]},
        {"inputs": [tensor("features", "only one")]},
        {"inputs": [tensor("features", "same", "same")]},
        {"inputs": [{"name": "same"}, {"name": "same"}]},
        {"inputs": [{"name": "features", "parameters": {"names": ["age", None]}}]},
    ],
)
def test_metadata_that_names_nothing_useful_is_passed_over(service: Service, upstream: Upstream, metadata: Any) -> None:
    upstream.metadata = saying(metadata)
    assert inputs(service, upstream) == UNNAMED


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"", status="404 Not Found"),
        ok(b"<html>"),
        ok(b"[" * 500_000),
        ok(b'{"inputs": [], "x": "' + b"x" * 2_000_000 + b'"}'),
        ok(b"\xff\xfe"),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=["none", "html", "nested", "huge", "no UTF-8", "no HTTP", "closed"],
)
def test_without_usable_metadata_the_inference_is_recorded_all_the_same(
    service: Service, upstream: Upstream, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    def metadata(wire: Wire) -> None:
        wire.send(answer)
        raise ConnectionError

    upstream.metadata = metadata
    assert inputs(service, upstream) == UNNAMED
    assert not caplog.records
    assert service.events("m") == {"accepted": 1}


def test_metadata_is_asked_for_as_plain_text(service: Service, upstream: Upstream) -> None:
    """An answer zipped because the question allowed it could not be read."""
    upstream.metadata = lambda wire: wire.send(
        ok(gzip.compress(b"{}"), "content-encoding: gzip")
        if any(name.lower() == b"accept-encoding" and b"gzip" in value for name, value in wire.headers)
        else ok(orjson.dumps({"inputs": [tensor("features", "age", "pay")]}))
    )
    assert inputs(service, upstream) == NAMED


def test_slow_metadata_delays_no_answer_and_names_the_first_inferences(service: Service, upstream: Upstream) -> None:
    def metadata(wire: Wire) -> None:
        time.sleep(0.3)
        wire.send(ok(orjson.dumps({"inputs": [tensor("features", "age", "pay")]})))

    upstream.metadata = metadata
    upstream.answering(ok(RESPONSE))
    started = time.perf_counter()
    post(service.port, INFER, REQUEST)
    assert time.perf_counter() - started < 0.25
    assert service.predictions()[0]["inputs_num"] == NAMED


def test_metadata_that_never_comes_is_waited_for_two_seconds_once(service: Service, upstream: Upstream) -> None:
    upstream.metadata = Wire.wait_for_end
    upstream.answering(ok(RESPONSE))
    for _ in range(3):
        post(service.port, INFER, REQUEST)
    assert [row["inputs_num"] for row in service.predictions(3)] == [UNNAMED] * 3
    started = time.perf_counter()
    post(service.port, INFER, REQUEST)
    service.predictions(4)
    assert time.perf_counter() - started < 1


def test_many_first_calls_at_once_ask_once_for_each_model(service: Service, upstream: Upstream) -> None:
    asked = []

    def metadata(wire: Wire) -> None:
        asked.append(wire.line)
        time.sleep(0.1)
        wire.send(ok(orjson.dumps({"inputs": [tensor("features", "age", "pay")]})))

    upstream.metadata = metadata
    upstream.answering(ok(RESPONSE))
    models = ["income", "a%2Fb"] * 20  # the second is `b` in the namespace `a`
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda model: post(service.port, f"/tap/m/v2/models/{model}/infer", REQUEST), models))
    assert all(row["inputs_num"] == NAMED for row in service.predictions(40))
    assert sorted(asked) == [b"GET /v2/models/a%2Fb HTTP/1.1", b"GET /v2/models/income HTTP/1.1"]


@pytest.mark.parametrize(
    ("path", "metadata"),
    [
        ("/v2/models/income/infer", "/v2/models/income"),
        ("/v2/models/a%2Fb/versions/7/infer", "/v2/models/a%2Fb/versions/7"),
        ("/pre/fix/v2/models/income/infer", "/pre/fix/v2/models/income"),
        ("/v1/models/income:predict", "/v2/models/income"),
        ("/api/v1.0/predictions", "/v2/models/m"),
    ],
)
def test_metadata_is_asked_for_where_the_inference_went(
    service: Service, upstream: Upstream, path: str, metadata: str
) -> None:
    asked: list[Request] = []

    def answer(wire: Wire) -> None:
        asked.append(Request(wire.line, wire.headers, b""))
        wire.send(ok(b"{}"))

    upstream.metadata = answer
    upstream.answering(ok(RESPONSE))
    post(service.port, f"/tap/m{path}", REQUEST, host="income.example.com")
    service.predictions()
    assert [(request.line, request.header(b"host")) for request in asked] == [
        (f"GET {metadata} HTTP/1.1".encode(), [b"income.example.com"])
    ]
