"""Two namespaces with everything there is of each, behind one `tidemark up`, and a token for each."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from bearers import Guarded, guarded
from up_process import eventually

MINE, THEIRS = "team-a", "team-b"
HIDDEN = "zebra"  # in names and values of THEIRS alone
NAME = {MINE: "lion", THEIRS: HIDDEN}
MONITOR = """
  - name: {name}-drift
    model: {namespace}/{name}-model
    reference: {{first_rows: 100}}
    window: {{rows: 100}}
    steps: [{{name: {name}-step, use: ks}}]
"""
MODELS = "{mine: {namespace: team-a}, theirs: {namespace: team-b}}"


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


@contextmanager
def two_tenants(folder: Path) -> Iterator[Tenants]:
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
        with guarded(folder, declared, config) as service:
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
    assert sender.rows(namespace, f"{name}-model", {"inputs": name}).json()["rejected"]
    for id in (f"{name}-orphan", "shared-orphan"):
        assert sender.event(namespace, f"{name}-model", id).status_code == 200
    for at in (f"results?model={namespace}/{name}-model&limit=1", "predictions/shared", "predictions/shared-orphan"):
        eventually(lambda path=at: name in service["all"].get(f"/api/{path}").text)
    eventually(lambda: namespace in service["all"].get("/api/dead-letters").text)


# How team-a reaches for what is team-b's, by every route that OpenAPI names. `all` is a cursor of the whole list.
