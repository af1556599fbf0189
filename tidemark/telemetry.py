"""The OpenTelemetry SDK, set up when the standard environment variables ask for it; spans cost nothing otherwise."""

import os
from collections.abc import Callable
from threading import Thread

# How long the last spans may take at the end: a receiver that is not there is tried again for 10 s otherwise.
FLUSH_SECONDS = 1.0


def configure(service: str) -> Callable[[], None]:
    """Export spans over OTLP/HTTP when an OTEL_EXPORTER_OTLP_…ENDPOINT is set; returns the shutdown."""
    wanted = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return lambda: None
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", service)
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return lambda: _within(FLUSH_SECONDS, provider.shutdown)


def _within(seconds: float, action: Callable[[], None]) -> None:
    thread = Thread(target=action, daemon=True)
    thread.start()
    thread.join(seconds)
