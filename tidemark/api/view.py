"""Stored rows as the JSON of the contract, section 3."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from collectors.labels.values import shown
from core.times import rfc3339

_KINDS = ("num", "cat", "vec")


def prediction(row: Mapping[str, Any], state: str = "stored") -> dict[str, Any]:
    """One row of `predictions`, without what other tables know of it."""
    return {
        "id": row["id"],
        "request_id": request_id(row["id"], row["row"]),
        "row": row["row"],
        "namespace": row["namespace"],
        "model": row["model"],
        "version": row["version"],
        "time": rfc3339(row["time"]),
        "received": rfc3339(row["received"]),
        "status": row["status"],
        "error": row["error"] or None,
        "latency": None if math.isnan(row["latency"]) else row["latency"],
        "source": row["source"],
        "trace_id": row["trace_id"] or None,
        "tags": dict(row["tags"]),
        "weight": row["weight"],
        "inputs": _fields(row, "inputs"),
        "outputs": _fields(row, "outputs"),
        "state": state,
    }


def label(row: Mapping[str, Any]) -> dict[str, Any]:
    """One revision of a label, its value as it was sent."""
    value = shown(row["value"], row["num"])
    return plain({"name": row["name"], "value": value, **{n: row[n] for n in ("source", "time", "received")}})


def request_id(prediction_id: str, row: int) -> str:
    """The request a prediction came in: rows of a request with several are `<request id>-<row>`."""
    return prediction_id.removesuffix(f"-{row}")


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Any stored row with its times as RFC 3339 and its numbers as JSON can hold them."""
    return {name: _plain(value) for name, value in row.items()}


def _fields(row: Mapping[str, Any], side: str) -> dict[str, Any]:
    return {name: _plain(value) for kind in _KINDS for name, value in dict(row[f"{side}_{kind}"]).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"  # JSON has no word for it
    if isinstance(value, Mapping):
        return plain(value)
    return [_plain(v) for v in value] if isinstance(value, list) else value
