"""OpenAPI's words for the paths beside FastAPI: those that receive, and the ClickHouse protocol."""

from typing import Any

_PROBLEMS = {
    "400": {"description": "what is wrong and in which field (problem details); kept as a dead letter"},
    "401": {"description": "no token or an unknown one; nothing is kept"},
    "403": {"description": "the token lacks the scope or the namespace"},
    "408": {"description": "the body was not whole in time; kept as a dead letter"},
    "413": {"description": "over a limit, which the answer names; kept as a dead letter"},
    "415": {"description": "unknown content type, the answer names the accepted ones; kept as a dead letter"},
    "422": {"description": "JSON of no known format, a label of several rows, or not to be masked; a dead letter"},
    "503": {"description": "not accepted: the log or its disk is full, or too many calls; Retry-After says when"},
}


def _post(summary: str, answers: dict[str, str], *content_types: str) -> dict[str, Any]:
    content: dict[str, Any] = {name: {"schema": {}} for name in content_types}
    good = {status: {"description": text} for status, text in answers.items()}
    return {
        "post": {
            "tags": ["receiving"],
            "summary": summary,
            "requestBody": {"content": content},
            "responses": good | _PROBLEMS,
        }
    }


_EVENTS = _post(
    "CloudEvents with inference requests and responses: binary, structured or batch",
    {"200": "received and on disk, every event of the call or its dead letter; the body is empty"},
    "application/json",
    "application/octet-stream",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
)

RECEIVING: dict[str, dict[str, Any]] = {
    "/": _EVENTS,
    "/events": _EVENTS,
    "/api/predictions": _post(
        "Predictions as rows",
        {
            "202": '{"accepted", "duplicate", "rejected": [{"row", "field", "reason"}]}: the rows are on disk, the '
            "rejected ones as dead letters"
        },
        "application/json",
        "application/x-ndjson",
        "application/vnd.apache.arrow.stream",
    ),
    "/api/labels": _post(
        "Labels: the truth about predictions, by their ids; early, late and corrected ones",
        {
            "202": '{"accepted", "duplicate", "rejected": [{"row", "field", "reason"}]}: the labels are on disk, the '
            "rejected ones as dead letters"
        },
        "application/json",
    ),
    "/tap/{name}/{path}": _post(
        "The configured upstream, answered byte for byte; inferences that pass are recorded after the answer",
        {"default": "the upstream's answer, which says nothing of the recording; 502 when it cannot be reached"},
    ),
}

_QUERY = {
    "tags": ["sql"],
    "summary": "The ClickHouse HTTP protocol, read-only: the query in `?query=` or in the body",
    "responses": {"200": {"description": "the result, in the query's FORMAT"}, "default": {"description": "an error"}},
}

CLICKHOUSE: dict[str, dict[str, Any]] = {"/clickhouse/": {"get": _QUERY, "post": _QUERY}}
