"""Stored predictions: one by id with everything known about it, many by filter."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from collectors.building.naming import Names
from core.errors import Rejected
from storage.engine import Engine
from storage.lookup import predictions as lookup
from storage.lookup.cursor import pack, unpack
from storage.lookup.lineage import lineage
from storage.lookup.predictions import PAGE_KEY, Filter, Wanted
from tidemark.api.orphans import orphans
from tidemark.api.parameters import Allowed, One, Predictions
from tidemark.api.view import label, plain, prediction


def routes(engine: Engine, names: Names) -> APIRouter:
    router = APIRouter(tags=["predictions"])

    @router.get("/api/predictions/{id:path}", summary="One prediction with everything known about it")
    def one(id: str, asked: One, allowed: Allowed) -> JSONResponse:
        """One prediction with everything known about it; 300 with the candidates when the id is ambiguous.

        A request or response whose other half has not come is shown with `state` orphan and status 0, from a few
        seconds after it came; it counts as an orphan after `pairing.orphan_after`. When the other half comes it is
        `stored`.
        """
        if asked.namespace:
            allowed.check(asked.namespace)
        wanted = Wanted(id, asked.namespace, asked.model, asked.time, allowed)
        rows = lookup.find(engine, wanted)
        found = [prediction(row) for row in rows] or orphans(lookup.orphans(engine, wanted), names)
        if not found:
            raise Rejected(404, "not_found", f"no prediction and no request has the id {id!r}", "id")
        known = lineage(engine, rows) if rows else [_NOTHING] * len(found)
        return _answer(id, [_whole(*one) for one in zip(found, known, strict=True)])

    @router.get("/api/predictions", summary="Stored predictions, the newest first")
    def many(asked: Predictions, allowed: Allowed) -> dict[str, Any]:
        """The newest first. Orphans are not among them, nor under status=0: a request or response without its other
        half is found by its id, and counted in `tidemark_orphans_total`.
        """
        if asked.namespace:
            allowed.check(asked.namespace)
        after = unpack(asked.cursor, [*PAGE_KEY.values()]) if asked.cursor else None
        key, _, value = (asked.tag or "").partition("=")
        wanted = Filter(
            asked.namespace,
            asked.model,
            asked.since,
            asked.until,
            (key, value) if asked.tag else None,
            asked.status,
            asked.limit + 1,
            after,
            allowed,
        )
        rows = lookup.list_predictions(engine, wanted)
        last = rows[asked.limit - 1] if len(rows) > asked.limit else None
        shown = [prediction(row) for row in rows[: asked.limit]]
        return {"predictions": shown, "next": pack([last[name] for name in PAGE_KEY]) if last else None}

    return router


_NOTHING: dict[str, list[dict[str, Any]]] = {"labels": [], "scores": [], "explanations": [], "results": []}


def _whole(shown: dict[str, Any], known: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    lists = {name: [plain(row) for row in rows] for name, rows in known.items() if name != "labels"}
    return {**shown, "labels": [label(row) for row in known["labels"]], **lists, "payload_url": None}


def _answer(id: str, found: Sequence[dict[str, Any]]) -> JSONResponse:
    """One prediction, all rows of one request, or candidates to choose from."""
    requests = {(p["namespace"], p["model"]) for p in found}
    if len(requests) == 1 and any(p["id"] != id for p in found):
        return JSONResponse({"request_id": id, "rows": found})
    return JSONResponse(found[0]) if len(found) == 1 else JSONResponse({"candidates": found}, 300)
