"""What monitors watch and what they found."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter

from core.config import MonitorConfig, model_key
from core.findings import Run
from core.times import rfc3339
from storage.engine import Engine
from storage.results import ResultFilter, page
from storage.runs import last_runs
from tidemark.api.parameters import Results


def routes(engine: Engine, monitors: Callable[[], Sequence[MonitorConfig]]) -> APIRouter:
    """`monitors` gives those that run now, the automatic ones included."""
    router = APIRouter(tags=["findings"])

    @router.get("/api/monitors", summary="Monitors with their newest run")
    def all_monitors() -> dict[str, Any]:
        """Every monitor with its configuration and its newest run."""
        runs = last_runs(engine)
        shown = [{**m.model_dump(mode="json", by_alias=True), "last_run": _run(runs.get(m.name))} for m in monitors()]
        return {"monitors": shown, "next": None}

    @router.get("/api/results", summary="What steps found, the newest window first")
    def results(asked: Results) -> dict[str, Any]:
        """What steps found, the newest window first."""
        key = model_key(asked.model) if asked.model else None
        return page(engine, ResultFilter(**{**dict(asked), "model": key}))

    return router


def _run(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    same = ("id", "status", "rows", "reference", "reason")
    window = {"window_start": rfc3339(run.window.start), "window_end": rfc3339(run.window.end)}
    return {**{name: getattr(run, name) for name in same}, **window, "finished": rfc3339(run.finished)}
