"""A token of some namespaces changes nothing of another, through any route there is."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from tenants import MINE, THEIRS, Tenants
from up_process import eventually

ARROW = "application/vnd.apache.arrow.stream"


def theirs(tenants: Tenants) -> Any:
    models = tenants.service["theirs"].get("/api/models").json()["models"]
    return sorted((m["model"], m["predictions"]) for m in models)


@pytest.fixture
def unchanged(tenants: Tenants) -> Iterator[Tenants]:
    """What is team-b's is as it was, once something that team-a sent later is stored."""
    before = theirs(tenants)
    yield tenants
    mine = tenants.service["mine"]
    assert mine.rows(MINE, "after", {"id": "after", "inputs": {"x": 1}}).status_code == 202
    eventually(lambda: mine.get("/api/predictions/after", model="after").ok)
    assert theirs(tenants) == before
    for id in ("written", "written-orphan"):
        assert tenants.service["all"].get(f"/api/predictions/{id}", namespace=THEIRS).status_code == 404


def forbidden(answer: Any, field: str) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json"), answer.text
    said = answer.json()
    assert (said["reason"], said["field"]) == ("forbidden_namespace", field)
    assert "'team-b', only: team-a" in said["detail"]


@pytest.mark.parametrize("path", ["/", "/events"])
def test_events_of_another_namespace_are_refused(unchanged: Tenants, path: str) -> None:
    mine = unchanged.service["mine"]
    headers = {"ce-id": "written-orphan", "ce-type": "org.kubeflow.serving.inference.request", "ce-source": "s"}
    named = {"ce-specversion": "1.0", "ce-inferenceservicename": "m", "ce-namespace": THEIRS}
    body = {"instances": [[1.0]]}
    forbidden(mine.call("POST", path, json=body, headers={**headers, **named}), "ce-namespace")


def test_of_a_batch_of_events_only_that_of_another_namespace_is_refused(unchanged: Tenants) -> None:
    mine = unchanged.service["mine"]

    def event(namespace: str, id: str) -> dict[str, Any]:
        named = {"inferenceservicename": "batch", "namespace": namespace, "specversion": "1.0", "source": "s"}
        data = {"instances": [[1.0]]}
        return {"id": id, "type": "org.kubeflow.serving.inference.request", "data": data, **named}

    body = json.dumps([event(THEIRS, "written-orphan"), event(MINE, "own-orphan")])
    headers = {"content-type": "application/cloudevents-batch+json"}
    assert mine.call("POST", "/", data=body, headers=headers).status_code == 200
    eventually(lambda: mine.get("/api/predictions/own-orphan").ok)


ROW = {"id": "written", "inputs": {"x": 1}}


@pytest.mark.parametrize(
    ("query", "content_type", "body"),
    [
        ("", "application/json", json.dumps({"model": "m", "namespace": THEIRS, "predictions": [ROW]})),
        ("", "application/json", json.dumps({"model": "m", "predictions": [{**ROW, "namespace": THEIRS}]})),
        ("?namespace=team-b", "application/json", json.dumps({"model": "m", "predictions": [ROW]})),
        ("?namespace=team-a", "application/x-ndjson", json.dumps({**ROW, "model": "m", "namespace": THEIRS})),
        ("?model=m&namespace=team-b", "application/x-ndjson", json.dumps(ROW)),
    ],
)
def test_rows_of_another_namespace_are_refused(unchanged: Tenants, query: str, content_type: str, body: str) -> None:
    headers = {"content-type": content_type}
    forbidden(
        unchanged.service["mine"].call("POST", f"/api/predictions{query}", data=body, headers=headers), "namespace"
    )


def arrow(namespaces: list[str]) -> bytes:
    columns = {
        "namespace": namespaces,
        "id": ["written", "own"][-len(namespaces) :],
        "inputs.x": [1.0] * len(namespaces),
    }
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def test_labels_of_another_namespace_are_refused_and_tell_nothing_of_its_ids(unchanged: Tenants) -> None:
    mine = unchanged.service["mine"]
    for query, label in (("", {"namespace": THEIRS}), (f"?namespace={THEIRS}", {})):
        body = {"labels": [{"id": "zebra-0-0", "value": 1, **label}]}
        forbidden(mine.call("POST", f"/api/labels{query}", json=body), "namespace")
    several = {"labels": [{"id": "shared", "value": 1, "namespace": n} for n in (THEIRS, MINE)]}
    said = mine.call("POST", "/api/labels", json=several).json()
    assert (said["accepted"], [r["field"] for r in said["rejected"]]) == (1, ["namespace"])
    eventually(lambda: mine.get("/api/predictions/shared").json()["labels"])
    assert unchanged.service["theirs"].get("/api/predictions/shared").json()["labels"] == []


def test_of_several_rows_only_those_of_another_namespace_are_refused(unchanged: Tenants) -> None:
    mine = unchanged.service["mine"]
    refused = [{"row": 0, "field": "namespace", "reason": "the token may not use 'team-b'"}]
    body = [{**ROW, "namespace": THEIRS}, {"id": "own-json", "inputs": {"x": 1}, "namespace": MINE}]
    answer = mine.call("POST", "/api/predictions", json={"model": "m", "predictions": body})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    assert [{**r, "reason": r["reason"].partition(",")[0]} for r in answer.json()["rejected"]] == refused
    asked = {"data": arrow([THEIRS, MINE]), "headers": {"content-type": ARROW}}
    answer = mine.call("POST", "/api/predictions?model=m", **asked)
    assert answer.json() == {"accepted": 1, "duplicate": 0, "rejected": refused}
    answer = mine.call("POST", "/api/predictions?model=m", data=arrow([THEIRS]), headers={"content-type": ARROW})
    assert (answer.status_code, answer.json()["field"]) == (403, "namespace")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/v2/models/theirs/infer", {}),
        ("POST", "/v1/models/theirs:predict", {}),
        ("POST", "/v2/models/unknown/infer", {}),
        ("POST", "/v2/models/theirs/infer/v2/models/mine/infer", {}),
        ("POST", "/prefix/v2/models/mine/infer", {}),
        ("POST", "/v2/models/mine/..%2ftheirs/infer", {}),
        ("POST", "/v2/models/mine%2finfer/infer", {}),
        ("POST", "/v2/models/mine/infer", {"seldon-model": "theirs"}),
        ("POST", "/v2/repository/models/mine/unload", {}),
        ("POST", "/v2/models/mine/unload", {}),
        ("DELETE", "/v2/models/mine", {}),
        ("GET", "/v2/models/theirs", {}),
        ("GET", "/v2", {}),
        ("POST", "/v1/chat/completions", {}),
        ("POST", "/api/v1.0/predictions", {}),
    ],
)
def test_a_tap_passes_only_what_is_of_ones_own_models(
    tenants: Tenants, method: str, path: str, headers: dict[str, str]
) -> None:
    came = len(tenants.seen)
    answer = tenants.service["mine"].call(method, f"/tap/m{path}", json={}, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden_namespace"), answer.text
    assert tenants.seen[came:] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/models/mine/infer"),
        ("POST", "/v2/models/mine/versions/3/infer"),
        ("POST", "/v1/models/mine:predict"),
        ("GET", "/v2/models/mine"),
        ("GET", "/v2/models/mine/ready"),
    ],
)
def test_a_tap_passes_inferences_and_metadata_of_ones_own_models(tenants: Tenants, method: str, path: str) -> None:
    body = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.0]}]}
    assert tenants.service["mine"].call(method, f"/tap/m{path}", json=body).status_code == 200
    assert path in tenants.seen


def test_sql_and_what_shows_everything_is_closed_to_a_tenant(unchanged: Tenants) -> None:
    mine = unchanged.service["mine"]
    insert = "INSERT INTO predictions (namespace, id) VALUES ('team-b', 'written')"
    assert mine.call("POST", "/clickhouse/", data=insert).status_code == 401
    for path in ("/metrics", "/api/ledger", "/api/of/a/later/version"):
        assert (mine.get(path).status_code, mine.get(path).json()["reason"]) == (403, "forbidden_namespace")
