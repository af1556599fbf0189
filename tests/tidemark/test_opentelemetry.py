"""One trace id from the sender to the stored row and to the span of the insert, over real OTLP/HTTP."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from up_process import eventually, up

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@contextmanager
def otlp_receiver() -> Iterator[tuple[str, list[Span]]]:
    """Its URL, and the spans it has been sent."""
    spans: list[Span] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            request = ExportTraceServiceRequest.FromString(body)
            spans.extend(s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", spans
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_sender_s_trace_leads_to_the_row_and_to_the_insert(tmp_path: Path) -> None:
    with otlp_receiver() as (url, spans):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with up(tmp_path, environment=environment) as served:
            served.send("m", {"id": "traced", "inputs": {"x": 1}}, traceparent=f"00-{TRACE}-{PARENT}-01")
            assert served.stored("traced")["trace_id"] == TRACE

            def exported() -> dict[str, Span]:
                found = {s.name: s for s in spans if s.trace_id.hex() == TRACE or s.links}
                return found if {"receive", "store"} <= found.keys() else {}

            found = eventually(exported)
    assert (found["receive"].trace_id.hex(), found["receive"].parent_span_id.hex()) == (TRACE, PARENT)
    assert [link.trace_id.hex() for link in found["store"].links] == [TRACE]
