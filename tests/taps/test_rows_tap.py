"""POST /api/predictions over a real server."""

import gzip
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
import pytest
import requests
from raw_http import Upstream
from tap_service import Service

packed = partial(gzip.compress, mtime=0)  # the same bytes each time: they name a test

ARROW = "application/vnd.apache.arrow.stream"


def post(service: Service, body: bytes, content_type: str = "application/json", **query: str) -> requests.Response:
    url, headers = f"http://127.0.0.1:{service.port}/api/predictions", {"content-type": content_type}
    return requests.post(url, data=body, headers=headers, params=query, timeout=20)


def rows(*predictions: Any) -> bytes:
    return orjson.dumps({"model": "m", "predictions": predictions})


def stream(columns: dict[str, Any]) -> bytes:
    table, buffer = pa.table(columns), pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    body: bytes = buffer.getvalue().to_pybytes()
    return body


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", rows({"id": "a", "inputs": {"x": 1}}, {"id": "b", "inputs": {"x": 2}})),
        ("application/x-ndjson", b'{"model":"m","id":"a","inputs":{"x":1}}\n{"model":"m","id":"b","inputs":{"x":2}}\n'),
        (ARROW, stream({"model": ["m", "m"], "id": ["a", "b"], "inputs.x": [1, 2]})),
    ],
    ids=["json", "ndjson", "arrow"],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_form_is_answered_202_and_stored(service: Service, content_type: str, body: bytes, zipped: bool) -> None:
    answer = post(service, packed(body) if zipped else body, f"{content_type}; charset=utf-8")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "duplicate": 0, "rejected": []})
    assert {row["id"]: row["inputs_num"] for row in service.predictions(2)} == {"a": {"x": 1.0}, "b": {"x": 2.0}}
    assert service.events("api") == {"accepted": 1}


def test_the_model_can_be_said_in_the_url(service: Service) -> None:
    post(service, b'{"inputs": {"x": 1}}', "application/x-ndjson", model="m", version="v2", namespace="team")
    [row] = service.predictions()
    assert (row["model"], row["version"], row["namespace"]) == ("m", "v2", "team")


def test_bad_rows_are_named_and_kept_as_dead_letters_and_the_others_stored(service: Service) -> None:
    answer = post(service, rows({"id": "a"}, {"id": "b", "status": "fine"}, {"id": "c"}))
    said = answer.json()
    assert (answer.status_code, said["accepted"]) == (202, 2)
    assert [(bad["row"], bad["field"]) for bad in said["rejected"]] == [(1, "status")]
    assert [row["id"] for row in service.predictions(2)] == ["a", "c"]
    [letter] = service.letters()
    assert (letter.reason, letter.field, orjson.loads(letter.body)["id"]) == ("bad_value", "status", "b")


def test_a_row_of_too_many_fields_costs_only_itself(service: Service) -> None:
    answer = post(service, rows({"id": "a"}, {"inputs": {f"f{n}": 1 for n in range(10_001)}}))
    assert answer.json()["accepted"] == 1 and "limits.fields_per_row" in answer.json()["rejected"][0]["reason"]


def test_rows_sent_again_are_duplicates(service: Service) -> None:
    post(service, rows({"id": "a", "inputs": {"x": 1}}))
    again = post(service, rows({"id": "a", "inputs": {"x": 1}}, {"id": "b"}))
    assert again.json() == {"accepted": 1, "duplicate": 1, "rejected": []}


TOO_WIDE = rows(*({"inputs": {f"{r}{n}": 1 for n in range(6_000)}} for r in "ab"))


def test_an_empty_post_is_no_json_but_no_lines_are_no_rows(service: Service) -> None:
    assert post(service, b"").status_code == 400
    answer = post(service, b"", "application/x-ndjson")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0, "duplicate": 0, "rejected": []})


@pytest.mark.parametrize(
    ("body", "content_type", "query", "status", "field"),
    [
        (b"{", "application/json", {}, 400, ""),
        (b"[1]", "application/json", {}, 400, "predictions"),
        (b"junk", ARROW, {}, 400, ""),
        (stream({"input.x": [1]}), ARROW, {}, 400, "input.x"),
        (b"a,b", "text/csv", {}, 415, "content-type"),
        (rows({}), "application/json", {"modle": "m"}, 400, "modle"),
        (packed(rows({}))[:-9], "application/json", {}, 400, ""),
        (packed(b" " * 100_000_000), "application/json", {}, 413, ""),
        (TOO_WIDE, "application/json", {}, 413, "predictions"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_read_is_problem_details_and_a_dead_letter(
    service: Service, body: bytes, content_type: str, query: dict[str, str], status: int, field: str
) -> None:
    answer = post(service, body, content_type, **query)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem.get("field", "")) == (status, status, field)
    [letter] = service.letters()
    assert (letter.source, letter.reason, letter.body) == ("api", problem["reason"], body)
    assert service.events("api") == {"rejected": 1}


def test_an_unknown_content_type_is_told_the_accepted_ones(service: Service) -> None:
    detail = post(service, b"", "text/csv").json()["detail"]
    assert all(name in detail for name in ("application/json", "application/x-ndjson", ARROW))


def test_more_rows_than_the_limit_are_refused(upstream: Upstream, start: Callable[..., Service]) -> None:
    service = start(upstream, limits={"rows_per_request": 2})
    assert post(service, rows({}, {}, {})).status_code == 413
    assert post(service, rows({}, {})).status_code == 202


def test_rows_that_memory_has_no_room_for_are_read_in_the_log_later(
    upstream: Upstream, start: Callable[..., Service]
) -> None:
    service = start(upstream, limits={"spool_bytes": 2**20})
    service.memory.away = True
    large = stream({"model": ["m"] * 10_000, "inputs.x": [0.5] * 10_000})
    answers = [post(service, large, ARROW) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert answers[-1].json() == {"accepted": 10_000, "duplicate": 0, "rejected": []}
    service.memory.away = False
    assert len(service.predictions(30_000)) == 30_000
    assert service.events("api") == {"accepted": 3}


def test_what_the_log_does_not_take_is_answered_503_and_never_stored(service: Service) -> None:
    service.memory.full = True
    answer = post(service, rows({"id": "a", "inputs": {"x": 1}}))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    service.memory.full = False
    assert post(service, rows({"id": "b", "inputs": {"x": 1}})).status_code == 202
    assert [row["id"] for row in service.predictions()] == ["b"]
    assert service.events("api", 2) == {"shed": 1, "accepted": 1}
    assert len(service.memory.frames) == 1
