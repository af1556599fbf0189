"""Canaries sent through every tap, in payloads that are good, malformed and refused."""

import base64
import gzip
import io
import json
from typing import Any

import pyarrow as pa
import requests
from canaries import Canaries

MODEL = "income"


class Traffic:
    """Sends to the Tidemark at `url`; keeps what it answers."""

    def __init__(self, url: str, canaries: Canaries) -> None:
        self._url, self._plant = url, canaries
        self.answers: dict[str, bytes] = {}

    def send_all(self) -> None:
        self.events()
        self.refused_events()
        self.rows()
        self.refused_rows()
        self.arrow()
        self.proxied()

    def events(self) -> None:
        for kind in ("request", "response"):
            self._event("pair", kind, self._v2(f"pair-{kind}", kind))
            self._event("v1", kind, self._v1(f"v1-{kind}", kind))
            self._structured("structured", kind)
        self._event("lone-request", "request", self._v2("lone-request", "request"))
        self._event("lone-response", "response", self._v2("lone-response", "response"))
        self._event("failed", "response", {"error": f"cannot take {self._plant.text('error-text')}"})
        self._batch()

    def refused_events(self) -> None:
        text = self._plant.text
        self._event("not-json", "request", b'{"inputs": [' + text("not-json").encode())
        self._event("zipped", "request", gzip.compress(b"{" + text("zipped").encode()))
        self._event("long-note", "request", {"instances": [{"note": text("long-note") + "." * 300}]})
        self._event("unnamed", "request", {"instances": [[self._plant.number("unnamed"), 1.0]]})
        self._event("bad-data", "request", {"inputs": [{"name": "x", "data": text("bad-data")}]})
        for attribute in ("type", "time", "statuscode", "specversion"):
            self._structured(f"bad-{attribute}", "response", **{attribute: text(f"bad-{attribute}")})
        headers = {"x-user": text("header-of-letter"), "customer": text("customer-of-letter")}
        self._event("headers", "request", b"{", **headers, **self._metadata("metadata-of-letter"))

    def rows(self) -> None:
        predictions = [self._row("json-0"), self._row("json-1")]
        self._post("json", "/api/predictions", json.dumps({"model": MODEL, "predictions": predictions}).encode())
        lines = [json.dumps({"model": MODEL, **self._row(f"ndjson-{n}")}) for n in range(2)]
        self._post("ndjson", "/api/predictions", "\n".join(lines).encode(), "application/x-ndjson")

    def refused_rows(self) -> None:
        text = self._plant.text
        bad = [
            {"inputs": {"ssn": {"nested": text("row-nested")}}},
            {"time": text("row-time"), "inputs": {"age": 1}},
            {text("row-key"): 1},
            {"inputs": {"age": 1, "note": text("row-long") + "." * 300}},
            {"status": text("row-status"), "inputs": {"ssn": text("row-beside")}},
            self._row("row-good-beside-bad"),
        ]
        self._post("bad-json-rows", "/api/predictions", json.dumps({"model": MODEL, "predictions": bad}).encode())
        self._post("bad-line", "/api/predictions", f'{{"model": {text("bad-line")}'.encode(), "application/x-ndjson")
        self._post("bad-body", "/api/predictions", f'{{"predictions": {text("bad-body")}'.encode())

    def arrow(self) -> None:
        text, number = self._plant.text, self._plant.number
        columns: dict[str, list[Any]] = {
            "model": [MODEL, MODEL, ""],
            "status": [200, 200, 200],
            "error": [text("arrow-error"), "", ""],
            "inputs.ssn": [text("arrow-ssn"), text("arrow-ssn-1"), text("arrow-ssn-of-bad-row")],
            "inputs.salary": [number("arrow-salary"), None, 2.0],
            "inputs.email_home": [number("arrow-email"), 1.0, 1.0],
            "outputs.note": [text("arrow-note"), "quiet", "quiet"],
            "inputs.face": [[number("arrow-vector"), 1.0], [1.0, 2.0], None],
            "tags.customer": [text("arrow-customer"), None, "c"],
            "tags.x-user": [text("arrow-user"), None, None],
        }
        self._arrow("arrow", columns)
        self._arrow("bad-arrow", {"model": [MODEL], f"inputz.{text('arrow-column')}": [1]})

    def proxied(self) -> None:
        for mode in ("", "fails", "breaks", "garbles"):
            body = self._v2(f"proxy-{mode}", "request")
            self._infer(mode or "works", json.dumps(body).encode(), mode)
        self._infer("garbage", b"{" + self._plant.text("proxy-garbage").encode(), "garbles")
        rows = json.dumps({"inputs": [self._tensor("x", [self._plant.number("proxy-unnamed"), 2.0], [1, 2])]}).encode()
        self._infer("unnamed", rows, "")
        self._infer("long", json.dumps({"inputs": [self._note("proxy-long")]}).encode(), "")

    def _note(self, name: str) -> dict[str, Any]:
        return self._tensor("note", [self._plant.text(name) + "." * 300], [1])

    def _infer(self, name: str, body: bytes, mode: str) -> None:
        headers = {"x-user": self._plant.text(f"proxy-user-{name}"), "customer": self._plant.text(f"proxy-tag-{name}")}
        url = f"{self._url}/tap/mine/v2/models/{MODEL}/infer"
        said = {"content-type": "application/json", "x-mode": mode, "x-request-id": f"proxy-{name}", **headers}
        requests.post(url, data=body, headers=said, timeout=20)  # its answer is the upstream's own

    def _v2(self, name: str, kind: str) -> dict[str, Any]:
        text, number = self._plant.text, self._plant.number
        tensors = [self._tensor(field, [text(f"{name}-{field}")], [1]) for field in ("ssn", "email_home", "note")]
        tensors.append(self._tensor("profile", [1.0, number(f"{name}-salary"), number(f"{name}-email")], [1, 3]))
        tensors.append(self._tensor("face", [number(f"{name}-vector"), 2.0], [1, 1, 2]))
        parameters = {"parameters": {"echo": text(f"{name}-parameter")}}
        return {"inputs" if kind == "request" else "outputs": tensors, **parameters}

    def _tensor(self, name: str, data: list[Any], shape: list[int]) -> dict[str, Any]:
        datatype = "BYTES" if isinstance(data[0], str) else "FP64"
        return {"name": name, "shape": shape, "datatype": datatype, "data": data}

    def _v1(self, name: str, kind: str) -> dict[str, Any]:
        key = "instances" if kind == "request" else "predictions"
        return {key: [{"ssn": self._plant.text(f"{name}-ssn"), "age": 1}], "note": self._plant.text(f"{name}-beside")}

    def _row(self, name: str) -> dict[str, Any]:
        text, number = self._plant.text, self._plant.number
        return {
            "inputs": {
                "ssn": text(f"{name}-ssn"),
                "salary": number(f"{name}-salary"),
                "email_home": number(f"{name}-email"),
                "face": [number(f"{name}-vector"), 2],
                "age": 40,
            },
            "outputs": {"note": text(f"{name}-note"), "p": 0.5},
            "tags": {"customer": text(f"{name}-customer"), "X-User": text(f"{name}-user"), "plan": "free"},
            "error": f"cannot take {text(f'{name}-error')}",
        }

    def _attributes(self, id: str, kind: str) -> dict[str, str]:
        return {
            "id": id,
            "type": f"org.kubeflow.serving.inference.{kind}",
            "source": "http://localhost",
            "specversion": "1.0",
            "inferenceservicename": MODEL,
            "namespace": "team-a",
        }

    def _metadata(self, name: str) -> dict[str, str]:
        metadata = {"X-User": [self._plant.text(f"{name}-user")], "Customer": [self._plant.text(f"{name}-customer")]}
        return {"ce-metadata": json.dumps(metadata)}

    def _event(self, id: str, kind: str, body: dict[str, Any] | bytes, **headers: str) -> None:
        said = {f"ce-{name}": value for name, value in self._attributes(id, kind).items()}
        if not headers:
            headers = self._metadata(f"{id}-{kind}")
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._post(f"{id}-{kind}", "/events", sent, "application/json", **said, **headers)

    def _structured(self, id: str, kind: str, **attributes: str) -> None:
        event = {**self._attributes(id, kind), **attributes, "data": self._v2(f"{id}-{kind}", kind)}
        event["metadata"] = self._metadata(f"{id}-{kind}")["ce-metadata"]
        self._post(f"{id}-{kind}", "/", json.dumps(event).encode(), "application/cloudevents+json")

    def _batch(self) -> None:
        kinds = ("request", "response")
        good = [{**self._attributes("batch", kind), "data": self._v2(f"batch-{kind}", kind)} for kind in kinds]
        encoded = base64.b64encode(json.dumps(self._v2("batch-base64", "request")).encode()).decode()
        good.append({**self._attributes("batch-64", "request"), "data_base64": encoded})
        bad = {**self._attributes("batch-bad", "request"), "data": [self._plant.text("batch-bad")]}
        worse = {"id": self._plant.text("batch-worse"), "data": {"instances": [1]}}
        self._post("batch", "/", json.dumps([*good, bad, worse]).encode(), "application/cloudevents-batch+json")

    def _arrow(self, name: str, columns: dict[str, list[Any]]) -> None:
        table, sink = pa.table(columns), io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        self._post(name, "/api/predictions", sink.getvalue(), "application/vnd.apache.arrow.stream")

    def _post(self, name: str, path: str, body: bytes, type: str = "application/json", **headers: str) -> None:
        answer = requests.post(f"{self._url}{path}", data=body, headers={"content-type": type, **headers}, timeout=20)
        assert answer.status_code != 503, answer.text
        self.answers[f"answer to {name}"] = answer.content
