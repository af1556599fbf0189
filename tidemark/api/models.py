"""The models that have been seen, and the monitors that watch them."""

from itertools import groupby
from typing import Any

from fastapi import APIRouter

from storage.engine import Engine
from storage.lookup.predictions import models, traffic
from tidemark.api.parameters import Allowed
from tidemark.api.view import plain

_FIELD = ("field", "role", "kind", "tensor", "position", "width", "datatype")


def routes(engine: Engine) -> APIRouter:
    router = APIRouter(tags=["models"])

    @router.get("/api/models", summary="Models with their fields and traffic")
    def all_models(allowed: Allowed) -> dict[str, Any]:
        """Every model and version with its fields and its traffic."""
        counts = {_key(row): plain(row) for row in traffic(engine, allowed)}
        fields = {
            key: [{n: f[n] for n in _FIELD} for f in rows] for key, rows in groupby(models(engine, allowed), _key)
        }
        found = [{**counts[key], "fields": fields.get(key, [])} for key in counts]
        return {"models": found, "next": None}

    return router


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["namespace"], row["model"], row["version"]
