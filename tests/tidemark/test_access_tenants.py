"""A token of some namespaces sees and changes nothing of another, through any route there is."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from bearers import Guarded, guarded
from up_process import eventually

MINE, THEIRS = "team-a", "team-b"
HIDDEN = "zebra"  # in names and values of THEIRS that no call of this file sends as team-a
NAME = {MINE: "lion", THEIRS: HIDDEN}
MONITOR = """
  - name: {name}-drift
    model: {namespace}/{name}-model
    reference: {{first_rows: 100}}
    window: {{rows: 100}}
    steps: [{{name: {name}-step, use: ks}}]
"""
MODELS = "{mine: {namespace: team-a}, theirs: {namespace: team-b}}"
ARROW = "application/vnd.apache.arrow.stream"


class Upstream(BaseHTTPRequestHandler):
    """Infers for everyone; `seen` are the paths that came."""

    seen: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        self.seen.append(self.path)
        output = {"name": "p", "shape": [1], "datatype": "FP64", "data": [0.5]}
        body = json.dumps({"model_name": "m", "outputs": [output]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class Tenants(NamedTuple):
    service: Guarded
    seen: list[str]


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """Both namespaces with predictions, fields, tags, orphans, ids in common, monitors and results."""
    seen: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Seen", (Upstream,), {"seen": seen})) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monitors = "".join(MONITOR.format(namespace=namespace, name=name) for namespace, name in NAME.items())
        config = (
            f"models: {MODELS}\ntaps: [{{name: m, upstream: 'http://127.0.0.1:{server.server_port}'}}]\n"
            f"monitors:{monitors}"
        )
        declared = {
            "mine": f"scopes: [ingest, read], tenants: [{MINE}]",
            "theirs": f"scopes: [ingest, read], tenants: [{THEIRS}]",
            "all": "scopes: [ingest, read, admin]",
        }
        with guarded(tmp_path_factory.mktemp("tenants"), declared, config) as service:
            for namespace in (MINE, THEIRS):
                fill(service, namespace)
            yield Tenants(service, seen)
        server.shutdown()
        thread.join()


def fill(service: Guarded, namespace: str) -> None:
    name, sender = NAME[namespace], service["mine" if namespace == MINE else "theirs"]
    for part in range(2):  # row windows go by the time of receipt
        rows = [{"id": f"{name}-{part}-{n}", "inputs": {f"{name}_field": n}, "tags": {name: "1"}} for n in range(120)]
        assert sender.rows(namespace, f"{name}-model", *rows).status_code == 202
        eventually(lambda at=part: service["all"].get(f"/api/predictions/{name}-{at}-0").ok)
    assert sender.rows(namespace, f"{name}-model", {"id": "shared", "inputs": {f"{name}_field": 1}}).ok
    for id in (f"{name}-orphan", "shared-orphan"):
        assert sender.event(namespace, f"{name}-model", id).status_code == 200
    for at in (f"results?model={namespace}/{name}-model&limit=1", "predictions/shared", "predictions/shared-orphan"):
        eventually(lambda path=at: name in service["all"].get(f"/api/{path}").text)


# How team-a reaches for what is team-b's, by every route that OpenAPI names. `all` is a cursor of the whole list.
READS: dict[tuple[str, str], list[str]] = {
    ("get", "/api/predictions"): [
        "/api/predictions",
        "/api/predictions?limit=1000",
        "/api/predictions?namespace=team-b",
        "/api/predictions?model=zebra-model",
        "/api/predictions?tag=zebra=1",
        "/api/predictions?status=200&since=2020-01-01T00:00:00Z",
        "/api/predictions?cursor={all}",
    ],
    ("get", "/api/predictions/{id}"): [
        "/api/predictions/shared",
        "/api/predictions/shared?namespace=team-b",
        "/api/predictions/shared-orphan",
        "/api/predictions/shared-orphan?namespace=team-b",
        "/api/predictions/shared?model=zebra-model",
        "/api/predictions/zebra-0-0",
        "/api/predictions/zebra-orphan",
    ],
    ("get", "/api/models"): ["/api/models"],
    ("get", "/api/monitors"): ["/api/monitors"],
    ("get", "/api/results"): [
        "/api/results?limit=10000",
        "/api/results?model=team-b/zebra-model",
        "/api/results?monitor=zebra-drift",
        "/api/results?step=zebra-step",
        "/api/results?field=zebra_field",
    ],
    ("get", "/metrics"): ["/metrics"],
    ("get", "/clickhouse/"): ["/clickhouse/?query=SELECT+*+FROM+predictions", "/clickhouse?query=SELECT+*+FROM+models"],
}
WRITES = {("post", path) for path in ("/", "/events", "/api/predictions", "/tap/{name}/{path}", "/clickhouse/")}
OPEN = {("get", "/livez"), ("get", "/readyz")}  # tell of the process only


def test_every_route_is_one_that_this_file_tries(tenants: Tenants) -> None:
    """A new route is closed to tenants until tidemark/access.py lists it: then say here how one may reach too far."""
    paths = tenants.service["all"].get("/openapi.json").json()["paths"]
    assert {(method, path) for path, methods in paths.items() for method in methods} == {*READS, *WRITES, *OPEN}


@pytest.mark.parametrize("route", READS, ids=lambda route: route[1])
def test_nothing_of_another_namespace_can_be_read(tenants: Tenants, route: tuple[str, str]) -> None:
    service = tenants.service
    page = service["all"].get("/api/predictions", limit=1).json()["next"]
    for url in (url.replace("{all}", page) for url in READS[route]):
        shown = service["mine"].get(url)
        assert HIDDEN not in said(shown.text, url), url
        assert THEIRS not in said(shown.text, url), url
    everything = [service["all"].get(url.replace("{all}", page)).text for url in READS[route]]
    assert any(HIDDEN in text for text in everything), "there was something to be hidden"


def said(text: str, url: str) -> str:
    """An answer without the words that its caller sent."""
    for word in ("zebra-0-0", "zebra-orphan", *(("'team-b'", "team-b/") if "team-b" in url else ())):
        text = text.replace(word, "") if word.strip("'") in url else text
    return text


@pytest.mark.parametrize("id", ["shared", "shared-orphan"])
def test_an_id_in_common_is_ones_own_and_no_choice(tenants: Tenants, id: str) -> None:
    both = tenants.service["all"].get(f"/api/predictions/{id}")
    assert (both.status_code, len(both.json()["candidates"])) == (300, 2)
    for name, namespace in (("mine", MINE), ("theirs", THEIRS)):
        own = tenants.service[name].get(f"/api/predictions/{id}")
        assert (own.status_code, own.json()["namespace"]) == (200, namespace)


def test_an_id_of_another_is_answered_like_one_that_does_not_exist(tenants: Tenants) -> None:
    found, nothing = (tenants.service["mine"].get(f"/api/predictions/{id}") for id in ("zebra-0-0", "qwert-0-0"))
    assert (found.status_code, found.text.replace("zebra", "qwert")) == (404, nothing.text)


def test_what_is_ones_own_is_shown(tenants: Tenants) -> None:
    mine = tenants.service["mine"]
    assert {p["namespace"] for p in mine.get("/api/predictions").json()["predictions"]} == {MINE}
    assert "lion-model" in {m["model"] for m in mine.get("/api/models").json()["models"]}
    assert "lion-drift" in {m["name"] for m in mine.get("/api/monitors").json()["monitors"]}
    assert {r["monitor"] for r in mine.get("/api/results").json()["results"]} == {"lion-drift"}
    assert mine.get("/docs").status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/predictions?namespace=team-b", "/api/results?model=team-b/x", "/api/results?model=x"]
)
def test_asking_for_another_namespace_is_a_403_that_names_it(tenants: Tenants, path: str) -> None:
    answer = tenants.service["mine"].get(path)
    assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden_namespace")
    assert (
        f"the token may not use '{'team-b' if 'team-b' in path else 'default'}', only: team-a"
        in answer.json()["detail"]
    )


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
