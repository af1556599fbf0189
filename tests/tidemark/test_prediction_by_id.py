"""GET /api/predictions/{id}: one prediction with everything known about it (contract section 3)."""

from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
import requests
from up_process import Up, eventually

IDENTITY = {"id", "request_id", "row", "namespace", "model", "version", "time", "received"}
SAID = {"status", "error", "latency", "source", "trace_id", "tags", "weight", "inputs", "outputs", "state"}
KNOWN = {"labels", "scores", "explanations", "results", "payload_url"}
KEYS = IDENTITY | SAID | KNOWN
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module", autouse=True)
def halves(served: Up) -> None:
    """Sent before everything else: they wait 5 seconds for their other halves before they are orphans."""
    inputs = {"inputs": [tensor("x", [[7.0], [8.0]])]}
    served.event("request", "lonely", "half", inputs, **{"ce-time": "2024-01-22T13:00:00Z"})
    served.event("response", "lonely", "answer-only", {"outputs": [tensor("y", [[9.0]])]})
    served.event("request", "late", "late-half", {"inputs": [tensor("x", [[7.0]])]})


def test_one_prediction_has_every_key_of_the_contract_and_what_was_sent(served: Up) -> None:
    sent = {
        "id": "whole",
        "time": "2024-01-22T13:48:48.123456Z",
        "inputs": {"age": 39, "country": "DE", "member": True, "gone": None},
        "outputs": {"p": 0.82, "big": 2**60},
        "latency": 0.25,
        "tags": {"customer": "c1"},
        "trace_id": TRACE,
    }
    before = served.send("by-id", sent)
    stored = served.stored("whole")
    assert before == {"accepted": 1, "duplicate": 0, "rejected": []}
    assert stored.keys() == KEYS
    assert stored.pop("received") > stored["time"]
    assert stored == {
        "id": "whole",
        "request_id": "whole",
        "row": 0,
        "namespace": "default",
        "model": "by-id",
        "version": "",
        "time": "2024-01-22T13:48:48.123456Z",
        "status": 200,
        "error": None,
        "latency": 0.25,
        "source": "api",
        "trace_id": TRACE,
        "tags": {"customer": "c1"},
        "weight": 1.0,
        "inputs": {"age": 39.0, "member": 1.0, "country": "DE"},
        "outputs": {"p": 0.82, "big": str(2**60)},
        "labels": [],
        "scores": [],
        "explanations": [],
        "results": [],
        "payload_url": None,
        "state": "stored",
    }


def test_infinities_are_words_and_what_is_missing_has_no_key(served: Up) -> None:
    inf, nan = float("inf"), float("nan")
    columns = {"id": ["inf"], "inputs.up": [inf], "inputs.down": [-inf], "inputs.nan": [nan], "inputs.word": ["NaN"]}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, (table := pa.table(columns)).schema) as stream:
        stream.write_table(table)
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    url = f"{served.url}/api/predictions?model=numbers"
    assert requests.post(url, sink.getvalue().to_pybytes(), headers=headers, timeout=20).status_code == 202
    assert served.stored("inf")["inputs"] == {"up": "Infinity", "down": "-Infinity", "word": "NaN"}
    assert served.get("/api/predictions", model="numbers").json()["predictions"][0]["inputs"]["up"] == "Infinity"


def test_each_row_of_a_request_is_found_alone_and_all_by_the_request(served: Up) -> None:
    infer(served, "many-rows", "batch", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    request = served.stored("batch")
    assert sorted(request) == ["request_id", "rows"]
    assert request["request_id"] == "batch"
    assert [(p["id"], p["row"], p["request_id"]) for p in request["rows"]] == [
        (f"batch-{row}", row, "batch") for row in range(3)
    ]
    alone = served.stored("batch-1")
    assert alone == request["rows"][1]
    assert (alone["inputs"], alone["outputs"]) == ({"x_0": 3.0, "x_1": 4.0}, {"y": 3.0})


def test_the_same_id_with_other_content_is_answered_300_with_both(served: Up) -> None:
    for age in (39, 40, 40):
        served.send("conflicting", {"id": "conflict", "inputs": {"age": age}})
    found = eventually(lambda: candidates(served, "conflict", 2))
    assert sorted(p["inputs"]["age"] for p in found) == [39, 40]
    assert {(p["id"], p["model"], p["state"]) for p in found} == {("conflict", "conflicting", "stored")}


def test_an_id_of_two_models_is_narrowed_by_model_and_namespace(served: Up) -> None:
    served.send("first", {"id": "shared", "inputs": {"a": 1}})
    served.send("second", {"id": "shared", "inputs": {"a": 2}})
    served.send("second", {"id": "shared", "namespace": "team-a", "inputs": {"a": 3}})
    found = eventually(lambda: candidates(served, "shared", 3))
    assert [p["model"] for p in found].count("second") == 2
    assert served.stored("shared", model="first")["inputs"] == {"a": 1.0}
    assert served.stored("shared", model="second", namespace="team-a")["inputs"] == {"a": 3.0}
    assert served.get("/api/predictions/shared", model="second").status_code == 300


def test_a_request_id_of_two_models_is_ambiguous_too(served: Up) -> None:
    for model in ("rows-a", "rows-b"):
        infer(served, model, "twice", [[1.0], [2.0]])
    found = eventually(lambda: candidates(served, "twice", 4))
    assert {p["model"] for p in found} == {"rows-a", "rows-b"}
    assert [p["id"] for p in served.stored("twice", model="rows-a")["rows"]] == ["twice-0", "twice-1"]


def test_an_id_may_hold_any_characters(served: Up) -> None:
    odd = ("a/b", "c d?e#f", "ü%2F'\\", "-0")
    served.send("odd-ids", *({"id": id, "inputs": {"n": n}} for n, id in enumerate(odd)))
    for n, id in enumerate(odd):
        assert served.stored(quote(id, safe=""))["inputs"] == {"n": float(n)}


def test_a_time_narrows_to_its_day(served: Up) -> None:
    for day in (20, 21):
        served.send("days", {"id": "daily", "time": f"2024-01-{day}T10:00:00Z", "inputs": {"day": day}})
    assert len(eventually(lambda: candidates(served, "daily", 2))) == 2
    assert served.stored("daily", time="2024-01-21T23:59:59Z")["inputs"] == {"day": 21.0}
    assert served.get("/api/predictions/daily", time="2024-01-22T10:00:00Z").status_code == 404


def test_a_half_whose_other_half_never_comes_is_an_orphan_with_what_it_holds(served: Up) -> None:
    orphan = served.stored("half")["rows"]
    assert [(p["id"], p["state"], p["status"], p["inputs"], p["outputs"]) for p in orphan] == [
        ("half-0", "orphan", 0, {"x": 7.0}, {}),
        ("half-1", "orphan", 0, {"x": 8.0}, {}),
    ]
    assert [p.keys() for p in orphan] == [KEYS] * 2
    assert orphan[0]["time"] == "2024-01-22T13:00:00.000000Z"
    answer = served.stored("answer-only")
    assert (answer["state"], answer["status"]) == ("orphan", 0)
    assert (answer["inputs"], answer["outputs"]) == ({}, {"y": 9.0})


def test_an_orphan_whose_other_half_comes_is_a_prediction_like_any(served: Up) -> None:
    assert served.stored("late-half")["state"] == "orphan"
    served.event("response", "late", "late-half", {"outputs": [tensor("y", [[1.0]])]})
    stored = eventually(lambda: (p := served.stored("late-half"))["state"] == "stored" and p)
    assert (stored["inputs"], stored["outputs"], stored["status"]) == ({"x": 7.0}, {"y": 1.0}, 200)


@pytest.mark.parametrize(
    ("path", "query", "status", "field"),
    [
        ("nobody", {}, 404, "id"),
        ("nobody", {"time": "yesterday"}, 422, "time"),
        ("nobody", {"time": "0001-01-01T00:00:00Z"}, 422, "time"),
        ("nobody", {"modell": "x"}, 422, "modell"),
    ],
)
def test_what_cannot_be_answered_is_problem_details(
    served: Up, path: str, query: dict[str, Any], status: int, field: str
) -> None:
    answer = served.get(f"/api/predictions/{path}", **query)
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (answer.status_code, said["status"], said["field"]) == (status, status, field)
    assert field in said["detail"]


def candidates(served: Up, id: str, count: int) -> list[dict[str, Any]] | None:
    answer = served.get(f"/api/predictions/{id}")
    found = answer.json().get("candidates", [])
    assert len(found) <= count
    return found if answer.status_code == 300 and len(found) == count else None


def infer(served: Up, model: str, id: str, rows: list[list[float]]) -> None:
    served.event("request", model, id, {"inputs": [tensor("x", rows)]})
    served.event("response", model, id, {"outputs": [tensor("y", [[row[0]] for row in rows])]})


def tensor(name: str, rows: list[list[float]]) -> dict[str, Any]:
    return {"name": name, "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows}
