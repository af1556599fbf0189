"""The HTTP API over what is stored. Paths that are plain ASGI beside it are only described here."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline

from tidemark.api import errors

DESCRIPTION = (
    "A 2xx to what is sent means: received and on disk, in the write-ahead log, fsynced unless `wal.fsync` is off. "
    "Killing the process does not lose it, and it can be queried within about a second. The proxy tap answers first "
    "and logs afterwards. 4xx: refused, kept as a dead letter. 503: not accepted, send again. docs/guarantees.md says "
    "what can still be lost or doubled."
)

# FastAPI's own spans would be of probes, scrapes and readers: Tidemark's traces are those of predictions.
_NO_SPANS: TelemetryConfig = {"tracing": False, "operation_spans": False, "metrics": False, "logs": False}


def create(routers: list[APIRouter], beside: Mapping[str, Any]) -> FastAPI:
    """The application with `routers`; `beside` are the OpenAPI paths that others answer."""
    app = FastAPIOffline(title="Tidemark", version=version("tidemark"), description=DESCRIPTION, telemetry=_NO_SPANS)
    errors.install(app)
    for router in routers:
        app.include_router(router)
    documented = app.openapi

    def openapi() -> dict[str, Any]:
        schema = documented()
        for path, operations in beside.items():
            schema["paths"].setdefault(path, {}).update(operations)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app
