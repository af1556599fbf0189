"""What monitors watch and what they found."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter

from core.config import MonitorConfig, model_key
from core.findings import Run
from core.times import rfc3339
from storage.engine import Engine
from storage.findings.results import ResultFilter, page
from storage.findings.runs import last_runs
from tidemark.api.parameters import Allowed, Results


def routes(engine: Engine, monitors: Callable[[], Sequence[MonitorConfig]]) -> APIRouter:
    """`monitors` gives those that run now, the automatic ones included."""
    router = APIRouter(tags=["findings"])

    @router.get("/api/monitors", summary="Monitors with their newest run")
    def all_monitors(allowed: Allowed) -> dict[str, Any]:
        """Every monitor with its configuration and its newest run."""
        runs = {name: run for name, run in last_runs(engine).items() if run.namespace in allowed}
        seen = [m for m in monitors() if model_key(m.model).namespace in allowed]
        shown = [{**m.model_dump(mode="json", by_alias=True), "last_run": _run(runs.get(m.name))} for m in seen]
        return {"monitors": shown, "next": None}

    @router.get("/api/results", summary="What steps found, the newest window first")
    def results(asked: Results, allowed: Allowed) -> dict[str, Any]:
        """What steps found, the newest window first."""
        key = model_key(asked.model) if asked.model else None
        if key:
            allowed.check(key.namespace, "model")
        return page(engine, ResultFilter(**{**dict(asked), "model": key, "allowed": allowed}))

    return router


def _run(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    same = ("id", "status", "rows", "reference", "reason")
    window = {"window_start": rfc3339(run.window.start), "window_end": rfc3339(run.window.end)}
    return {**{name: getattr(run, name) for name in same}, **window, "finished": rfc3339(run.finished)}
