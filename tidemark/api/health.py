"""Metrics and probes."""

from collections.abc import Callable

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from core.errors import StoreError
from core.metrics import Metrics
from storage.engine import Engine


def routes(engine: Engine, metrics: Metrics, ready: Callable[[], bool]) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/metrics", summary="Metrics for Prometheus")
    def all_metrics() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/livez", summary="Does the process answer")
    def live() -> PlainTextResponse:
        """200 as long as the process answers."""
        return PlainTextResponse("ok")

    @router.get("/readyz", summary="Can predictions be taken")
    def is_ready() -> PlainTextResponse:
        """200 when the store answers and predictions can be taken."""
        try:
            engine.rows("SELECT 1 AS one")
        except StoreError as error:
            return PlainTextResponse(f"the store does not answer: {error}", 503)
        return PlainTextResponse("ok") if ready() else PlainTextResponse("starting or stopping", 503)

    @router.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        return RedirectResponse("/docs")

    return router
