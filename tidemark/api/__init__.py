"""The HTTP API over what is stored. Paths that are plain ASGI beside it are only described here."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline

from tidemark.api import errors

DESCRIPTION = (
    "A 2xx to what is sent means received: it is stored within about a second, and a crash before that loses it."
)


def create(routers: list[APIRouter], beside: Mapping[str, Any]) -> FastAPI:
    """The application with `routers`; `beside` are the OpenAPI paths that others answer."""
    app = FastAPIOffline(title="Tidemark", version="0.1.0", description=DESCRIPTION)
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
