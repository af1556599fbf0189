"""POST / and /events over a real server: CloudEvents in, predictions and dead letters out."""

import gzip
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
import pytest
import requests
from raw_http import Upstream, send
from tap_service import Service

packed = partial(gzip.compress, mtime=0)  # the same bytes each time: they name a test

REQUEST = b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.5]}]}'
RESPONSE = b'{"outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "data": [2.5]}], "model_version": "v7"}'


def headers(kind: str, id: str = "r", **more: str) -> dict[str, str]:
    said = {
        "ce-id": id,
        "ce-type": f"org.kubeflow.serving.inference.{kind}",
        "ce-source": "http://localhost:9081/",
        "ce-specversion": "1.0",
        "ce-inferenceservicename": "income",
        "ce-namespace": "team",
        "content-type": "application/json",
    }
    return {**said, **{name.replace("_", "-"): value for name, value in more.items()}}


def structured(kind: str, id: str = "r", **changed: Any) -> dict[str, Any]:
    said = {name.removeprefix("ce-"): value for name, value in headers(kind, id).items() if name.startswith("ce-")}
    return {**said, "data": orjson.loads(REQUEST if kind == "request" else RESPONSE), **changed}


def post(service: Service, body: bytes, sent: Mapping[str, str], path: str = "/") -> requests.Response:
    return requests.post(f"http://127.0.0.1:{service.port}{path}", data=body, headers=dict(sent), timeout=20)


def refused(service: Service, body: bytes, sent: Mapping[str, str]) -> dict[str, Any]:
    """The problem details of a refusal, which leaves a dead letter of the same words."""
    answer = post(service, body, sent)
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    [letter] = service.letters()
    assert (letter.reason, letter.field, letter.source) == (problem["reason"], problem.get("field", ""), "events")
    assert (problem["status"], service.events("events")) == (answer.status_code, {"rejected": 1})
    return problem


@pytest.mark.parametrize("path", ["/", "/events"])
def test_two_halves_are_answered_200_with_nothing_and_become_one_prediction(service: Service, path: str) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    for body, kind in ((RESPONSE, "response"), (REQUEST, "request")):
        answer = post(service, body, headers(kind, ce_time="2026-01-02T03:04:05Z", traceparent=trace), path)
        assert (answer.status_code, answer.content) == (200, b"")
    [row] = service.predictions()
    said = [row[name] for name in ("namespace", "model", "version", "id", "source", "status", "trace_id")]
    assert said == ["team", "income", "v7", "r", "events", 200, "a" * 32]
    assert (row["inputs_num"], row["outputs_num"]) == ({"x": 1.5}, {"y": 2.5})
    assert row["time"].isoformat() == "2026-01-02T03:04:05+00:00"
    assert service.events("events") == {"accepted": 2}


def test_a_time_that_cannot_be_meant_is_ours_and_the_original_a_tag(service: Service) -> None:
    post(service, REQUEST, headers("request", ce_time="1970-01-01T00:00:00Z"))
    post(service, RESPONSE, headers("response"))
    [row] = service.predictions()
    assert row["received"] - row["time"] < timedelta(seconds=20)
    assert row["tags"] == {"original_time": "1970-01-01T00:00:00.000000Z"}


def test_one_bad_event_of_a_batch_costs_only_itself(service: Service) -> None:
    broken = structured("request", "broken", data={"neither": 3})
    batch = [structured("request", "a"), broken, 7, structured("response", "a")]
    body = orjson.dumps(batch)
    answer = post(service, body, {"content-type": "application/cloudevents-batch+json"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert [row["id"] for row in service.predictions()] == ["a"]
    first, second = service.letters(2)
    assert orjson.loads(first.body) == {"neither": 3}
    assert (second.body, second.field) == (body, "[2]")
    assert service.events("events") == {"accepted": 2, "rejected": 2}


def test_a_half_with_other_content_under_its_id_is_kept_beside_the_first(service: Service) -> None:
    other = REQUEST.replace(b"1.5", b"9.5")
    for body, kind in ((REQUEST, "request"), (RESPONSE, "response"), (other, "request"), (RESPONSE, "response")):
        post(service, body, headers(kind))
    post(service, RESPONSE.replace(b"2.5", b"8.5"), headers("response"))
    rows = service.predictions(2)
    assert [(row["id"], row["inputs_num"], row["outputs_num"]) for row in rows] == [
        ("r", {"x": 1.5}, {"y": 2.5}),
        ("r", {"x": 9.5}, {"y": 8.5}),
    ]


def test_an_announced_body_over_the_limit_is_refused_before_it_comes(
    upstream: Upstream, start: Callable[..., Service]
) -> None:
    service = start(upstream, limits={"body_bytes": 1024})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers("request").items())
    got = send(service.port, f"POST / HTTP/1.1\r\nHost: h\r\n{lines}Content-Length: 99999999999\r\n\r\n".encode())
    assert (got.status, got.header("content-type")) == (413, ["application/problem+json"])
    assert post(service, REQUEST, headers("request")).status_code == 200


def test_zipped_bodies_are_read(service: Service) -> None:
    post(service, packed(REQUEST), headers("request"))
    post(service, packed(RESPONSE), headers("response"))
    assert service.predictions()[0]["inputs_num"] == {"x": 1.5}


@pytest.mark.parametrize(
    ("body", "changed", "status", "field"),
    [
        (b"{", {}, 400, ""),
        (b'{"inputs": "\xff"}', {}, 400, ""),
        (b'{"inputs": [{"name": "x", "shape": [2], "datatype": "FP64", "data": [1]}]}', {}, 400, "inputs[0]"),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP65", "data": [1]}]}', {}, 400, "inputs[0].datatype"),
        (packed(REQUEST)[:-9], {}, 400, ""),
        (b"{}", {}, 422, ""),
        (REQUEST, {"ce_type": "some.other.event"}, 422, "type"),
        (REQUEST, {"ce_inferenceservicename": ""}, 400, "ce-inferenceservicename"),
        (REQUEST, {"ce_specversion": "7"}, 400, "ce-specversion"),
        (REQUEST, {"ce_time": "yesterday"}, 400, "time"),
        (REQUEST, {"content-type": "image/png"}, 415, "content-type"),
        (REQUEST, {"content-type": "application/cloudevents+xml"}, 415, "content-type"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_read_is_problem_details_with_the_field_and_a_dead_letter(
    service: Service, body: bytes, changed: dict[str, str], status: int, field: str
) -> None:
    problem = refused(service, body, headers("request", **changed))
    assert problem["status"] == status
    assert problem.get("field", "").startswith(field)
    assert service.letters()[0].body == body


def test_no_credentials_reach_a_dead_letter(service: Service) -> None:
    refused(service, b"{", headers("request", authorization="Bearer secret", cookie="secret", x_api_key="secret"))
    kept = dict(service.letters()[0].headers)
    assert "secret" not in kept.values() and kept["ce-id"] == "r"


def test_deep_nesting_and_100_mb_are_refused_quickly(service: Service) -> None:
    start = time.monotonic()
    deep = post(service, b'{"inputs": ' + b"[" * 1_000_000, headers("request"))
    huge = post(service, b" " * 100_000_000, headers("request"))
    assert (deep.status_code, huge.status_code) == (400, 413)
    assert time.monotonic() - start < 5
    assert [letter.reason for letter in service.letters(2)] == ["too_deep", "too_large"]
    post(service, REQUEST, headers("request"))
    assert post(service, RESPONSE, headers("response")).status_code == 200
    assert len(service.predictions()) == 1


def test_a_body_that_unzips_to_more_than_the_limit_is_refused(service: Service) -> None:
    assert refused(service, packed(b" " * 100_000_000), headers("request"))["status"] == 413


def test_senders_do_not_notice_that_memory_is_full(upstream: Upstream, start: Callable[..., Service]) -> None:
    service = start(upstream, limits={"spool_bytes": 2**20})
    service.memory.away = True
    large = orjson.dumps({"inputs": [{"name": "x", "shape": [1, 50_000], "datatype": "FP64", "data": [0.5] * 50_000}]})
    answers = [post(service, large, headers("request", f"r{n}")) for n in range(5)]
    answers += [post(service, RESPONSE, headers("response", f"r{n}")) for n in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 10
    assert service.intake.behind
    service.memory.away = False
    while service.intake.behind:
        service.intake.flush(everything=True)
        service.intake.read_on()
    service.intake.flush(everything=True)
    assert sorted(row["id"] for row in service.memory.rows) == [f"r{n}" for n in range(5)]
    assert service.events("events") == {"accepted": 10}


def test_a_full_log_is_answered_503_with_when_to_come_back(service: Service) -> None:
    service.memory.full = True
    answer = post(service, REQUEST, headers("request"))
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["status"]) == (503, "1", 503)
    assert service.events("events") == {"shed": 1}


def test_a_half_sent_again_is_counted_and_stored_once(service: Service) -> None:
    for _ in range(2):
        post(service, REQUEST, headers("request"))
        post(service, RESPONSE, headers("response"))
    assert len(service.predictions()) == 1
    duplicates = service.metrics.registry.get_sample_value(
        "tidemark_duplicates_total", {"namespace": "team", "model": "income"}
    )
    assert duplicates == 2
