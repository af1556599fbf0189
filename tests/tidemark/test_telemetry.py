"""Spans over OTLP when the standard environment variables ask for them: one trace from the sender to the insert."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from up_process import Up, eventually, up

from tidemark import telemetry
from tidemark.demo.processes import free_port

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
CONFIG = """
monitors:
  - {name: watch, model: m, reference: {first_rows: 50}, window: {rows: 50}, steps: [{name: drift, use: ks}]}
"""


class Telling(NamedTuple):
    """A `tidemark up` that exports its spans, and what has come of them by name."""

    served: Up
    spans: list[Span]
    services: list[str]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    spans: list[Span] = []
    services: list[str] = []
    with collector(spans, services) as port:
        said = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with up(tmp_path_factory.mktemp("telemetry"), CONFIG, said) as served:
            yield Telling(served, spans, services)


@contextmanager
def collector(spans: list[Span], services: list[str]) -> Iterator[int]:
    """An OTLP/HTTP receiver on a free port."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
            for resource in request.resource_spans:
                services.extend(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
                spans.extend(span for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_senders_trace_goes_on_to_the_row_and_the_insert(telling: Telling) -> None:
    telling.served.send("traced", {"id": "t1", "inputs": {"a": 1}}, **TRACEPARENT)
    assert telling.served.stored("t1")["trace_id"] == TRACE
    (receive,) = eventually(lambda: telling.named("receive"))
    assert (receive.trace_id.hex(), receive.parent_span_id.hex()) == (TRACE, PARENT)
    assert [(a.key, a.value.string_value) for a in receive.attributes] == [("tap", "api")]
    eventually(lambda: any(link.trace_id.hex() == TRACE for span in telling.named("store") for link in span.links))
    assert set(telling.services) == {"tidemark-up"}


def test_a_pair_of_events_keeps_the_trace_of_its_request(telling: Telling) -> None:
    tensor = {"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}
    other = TRACE[::-1]
    headers = {"ce-traceparent": f"00-{other}-{PARENT}-01"}
    telling.served.event("request", "traced", "t2", {"inputs": [tensor]}, **headers)
    telling.served.event("response", "traced", "t2", {"outputs": [tensor]})
    assert telling.served.stored("t2")["trace_id"] == other
    eventually(lambda: any(link.trace_id.hex() == other for span in telling.named("store") for link in span.links))


def test_a_monitors_windows_and_steps_are_spans(telling: Telling) -> None:
    for part in range(2):
        telling.served.send("m", *({"id": f"{part}-{n}", "inputs": {"a": n}} for n in range(50)))
    (step,) = eventually(lambda: telling.named("step"), 30)
    (window,) = eventually(lambda: telling.named("window"))
    assert (step.trace_id, step.parent_span_id) == (window.trace_id, window.span_id)
    said = {a.key: a.value.string_value for a in step.attributes}
    assert said == {"monitor": "watch", "step": "drift", "use": "ks"}


def test_the_last_spans_are_exported_when_it_stops(tmp_path: Path) -> None:
    spans: list[Span] = []
    with collector(spans, []) as port:
        endpoint = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{port}/v1/traces"}
        with up(tmp_path, "", endpoint) as served:
            served.send("traced", {"id": "t1", "inputs": {"a": 1}})
            served.process.terminate()
            assert served.process.wait(5) == 0
    assert {span.name for span in spans} == {"receive", "store"}


def test_a_collector_that_is_not_there_costs_nothing_and_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with up(tmp_path, "", endpoint) as served:
        served.send("traced", {"id": "t1", "inputs": {"a": 1}}, **TRACEPARENT)
        assert served.stored("t1")["trace_id"] == TRACE
        served.process.terminate()
        assert served.process.wait(5) == 0


@pytest.mark.parametrize(
    "said", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}]
)
def test_without_the_variables_no_sdk_is_set_up(said: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    before = trace.get_tracer_provider()
    telemetry.configure("tidemark-up")()
    assert trace.get_tracer_provider() is before
