"""Reports that libraries wrote about a step of a run."""

from fastapi import APIRouter, Response

from core.errors import Rejected
from storage.engine import Engine
from storage.findings.reports import WantedReport, find_report
from tidemark.api.parameters import Allowed, Report

# It is a library's HTML with user's data in it: it runs in an origin of its own and reaches nothing.
_HEADERS = {
    "content-security-policy": "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data: blob:; font-src data:",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def routes(engine: Engine) -> APIRouter:
    router = APIRouter(tags=["findings"])

    @router.get("/api/runs/{run}/reports/{step:path}", summary="The report that a step's library wrote, as HTML")
    def report(run: str, step: str, asked: Report, allowed: Allowed) -> Response:
        """Evidently's report about one step of a run; results name its address. `version` is the model's."""
        html = find_report(engine, WantedReport(run, step, asked.version, allowed))
        if html is None:
            raise Rejected(404, "not_found", f"the run {run[:100]!r} has no report of a step {step[:100]!r}", "step")
        return Response(html, headers=_HEADERS, media_type="text/html; charset=utf-8")

    return router
