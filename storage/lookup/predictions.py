"""Predictions out of the store: one by its id, many by filter; and the fields of models."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.access import EVERY_NAMESPACE, Namespaces
from core.records import Half
from storage.delivery.halves import HALF_COLUMNS, half_of
from storage.engine import Engine

# Rows sent twice may not be merged yet: of each, the one received last. FINAL would say the same but read every part.
_LATEST = "ORDER BY received DESC LIMIT 1 BY namespace, model, time, id, content"

# What the rows of a list are ordered by, each different from the next even where ids are in conflict, and their types.
PAGE_KEY = {"time": datetime, "id": str, "namespace": str, "model": str, "content": str}
_TAGGED = "tags[{tag:String}] = {value:String} AND mapContains(tags, {tag:String})"  # an absent key reads as ''
_AFTER = (
    f"({', '.join(PAGE_KEY)}) < ({{after_0:DateTime64(6, 'UTC')}}, {{after_1:String}}, {{after_2:String}}, "
    "{after_3:String}, {after_4:UInt64})"
)


@dataclass(frozen=True)
class Filter:
    """What a list of predictions can be narrowed by; None or '' = anything. `after` continues where a list stopped."""

    namespace: str = ""
    model: str = ""
    since: datetime | None = None
    until: datetime | None = None
    tag: tuple[str, str] | None = None
    status: int | None = None
    limit: int = 100
    after: tuple[Any, ...] | None = None  # of the types PAGE_KEY
    allowed: Namespaces = EVERY_NAMESPACE


@dataclass(frozen=True)
class Wanted:
    """One prediction or request by id. `time`, its event time to the day, makes the lookup read one partition only."""

    id: str
    namespace: str = ""
    model: str = ""
    time: datetime | None = None
    allowed: Namespaces = EVERY_NAMESPACE


def find(engine: Engine, wanted: Wanted) -> list[dict[str, Any]]:
    """Rows of that prediction id, else all rows of that request id. Conflicts and other models give several."""
    day = "toDate(time) = toDate({time:DateTime64(6, 'UTC')})" if wanted.time is not None else ""
    where = _and("id IN {ids:Array(String)}", *_of_model(wanted), day)
    params = {"namespace": wanted.namespace, "model": wanted.model, "time": wanted.time, **within(wanted.allowed)[1]}
    found = _select(engine, where, {**params, "ids": [wanted.id, f"{wanted.id}-0"]})
    exact = [row for row in found if row["id"] == wanted.id]
    requests = {(row["namespace"], row["model"], row["time"]): row for row in found}.values()
    return exact or [r for first in requests for r in _rows_of_request(engine, first, wanted.id)]


def list_predictions(engine: Engine, wanted: Filter) -> list[dict[str, Any]]:
    """The newest first, at most `wanted.limit`."""
    tag, value = wanted.tag or ("", "")
    conditions: list[tuple[str, dict[str, Any]]] = [
        within(wanted.allowed),
        (_equal("namespace", wanted.namespace), {"namespace": wanted.namespace}),
        (_equal("model", wanted.model), {"model": wanted.model}),
        ("time >= {since:DateTime64(6, 'UTC')}" if wanted.since else "", {"since": wanted.since}),
        ("time < {until:DateTime64(6, 'UTC')}" if wanted.until else "", {"until": wanted.until}),
        (_TAGGED if tag else "", {"tag": tag, "value": value}),
        ("status = {status:UInt16}" if wanted.status is not None else "", {"status": wanted.status}),
        (_AFTER if wanted.after else "", {f"after_{n}": value for n, value in enumerate(wanted.after or ())}),
    ]
    used = [(text, params) for text, params in conditions if text]
    params = {name: value for _, some in used for name, value in some.items()}
    where = " AND ".join(text for text, _ in used) or "1"
    return engine.rows(
        f"SELECT * FROM predictions FINAL WHERE {where} ORDER BY {', '.join(f'{name} DESC' for name in PAGE_KEY)} "
        f"LIMIT {int(wanted.limit)}",
        params,
    )


def orphans(engine: Engine, wanted: Wanted) -> list[Half]:
    """Halves under that request id whose other half has not come."""
    where = _and("request_id = {id:String} AND done = 0", *_of_model(wanted))
    rows = engine.rows(
        f"SELECT {HALF_COLUMNS} FROM halves FINAL WHERE {where}",
        {"id": wanted.id, "namespace": wanted.namespace, "model": wanted.model, **within(wanted.allowed)[1]},
    )
    return [half_of(row) for row in rows]


def models(engine: Engine, allowed: Namespaces = EVERY_NAMESPACE) -> list[dict[str, Any]]:
    """Every model and version with its fields, in the order of the model's own request."""
    where, params = within(allowed)
    return engine.rows(
        "SELECT namespace, model, version, field, role, kind, tensor, position, width, datatype "
        f"FROM models FINAL WHERE {where or 'true'} ORDER BY namespace, model, version, role, tensor, position",
        params,
    )


def traffic(engine: Engine, allowed: Namespaces = EVERY_NAMESPACE) -> list[dict[str, Any]]:
    """Rows, failures and newest event of every model and version."""
    where, params = within(allowed)
    return engine.rows(
        "SELECT namespace, model, version, count() AS predictions, countIf(status >= 400) AS failed, "
        f"max(time) AS last_time FROM predictions WHERE {where or 'true'} "
        "GROUP BY namespace, model, version ORDER BY namespace, model, version",
        params,
    )


def within(allowed: Namespaces) -> tuple[str, dict[str, Any]]:
    """A condition on `namespace` with its parameters, '' when every one is allowed."""
    if allowed.names is None:
        return "", {}
    return "namespace IN {allowed:Array(String)}", {"allowed": sorted(allowed.names)}


def _rows_of_request(engine: Engine, first: dict[str, Any], request_id: str) -> list[dict[str, Any]]:
    """All rows share the first one's event time, so the primary key finds them."""
    where = (
        "namespace = {namespace:String} AND model = {model:String} AND time = {time:DateTime64(6, 'UTC')} "
        "AND startsWith(id, {prefix:String})"
    )
    params = {"namespace": first["namespace"], "model": first["model"], "time": first["time"]}
    rows = _select(engine, where, {**params, "prefix": f"{request_id}-"})
    return sorted((r for r in rows if r["id"] == f"{request_id}-{r['row']}"), key=lambda r: int(r["row"]))


def _select(engine: Engine, where: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    return engine.rows(f"SELECT * FROM predictions WHERE {where} {_LATEST}", params)


def _of_model(wanted: Wanted) -> tuple[str, str, str]:
    return within(wanted.allowed)[0], _equal("namespace", wanted.namespace), _equal("model", wanted.model)


def _equal(column: str, value: str) -> str:
    return f"{column} = {{{column}:String}}" if value else ""


def _and(*conditions: str) -> str:
    return " AND ".join(condition for condition in conditions if condition)
