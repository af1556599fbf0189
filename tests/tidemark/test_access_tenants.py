"""A token of some namespaces sees nothing of another, through any route there is."""

import pytest
from tenants import HIDDEN, MINE, THEIRS, Tenants

# How team-a reaches for what is team-b's, by every route that OpenAPI names. `all` is a cursor of the whole list.
READS: dict[tuple[str, str], list[str]] = {
    ("get", "/api/predictions"): [
        "/api/predictions",
        "/api/predictions?limit=1000",
        "/api/predictions?namespace=team-b",
        "/api/predictions?model=zebra-model",
        "/api/predictions?tag=zebra=1",
        "/api/predictions?status=200&since=2020-01-01T00:00:00Z",
        "/api/predictions?cursor={all}",
    ],
    ("get", "/api/predictions/{id}"): [
        "/api/predictions/shared",
        "/api/predictions/shared?namespace=team-b",
        "/api/predictions/shared-orphan",
        "/api/predictions/shared-orphan?namespace=team-b",
        "/api/predictions/shared?model=zebra-model",
        "/api/predictions/zebra-0-0",
        "/api/predictions/zebra-orphan",
    ],
    ("get", "/api/models"): ["/api/models"],
    ("get", "/api/monitors"): ["/api/monitors"],
    ("get", "/api/results"): [
        "/api/results?limit=10000",
        "/api/results?model=team-b/zebra-model",
        "/api/results?monitor=zebra-drift",
        "/api/results?step=zebra-step",
        "/api/results?field=zebra_field",
    ],
    ("get", "/api/ledger"): ["/api/ledger"],
    ("get", "/api/dead-letters"): ["/api/dead-letters"],
    ("get", "/api/dead-letters/{letter}"): ["/api/dead-letters/{letter}"],
    ("get", "/api/dead-letters/{letter}/body"): ["/api/dead-letters/{letter}/body"],
    ("get", "/metrics"): ["/metrics"],
    ("get", "/clickhouse/"): ["/clickhouse/?query=SELECT+*+FROM+predictions", "/clickhouse?query=SELECT+*+FROM+models"],
}
WRITES = {
    ("post", path)
    for path in (
        "/",
        "/events",
        "/api/predictions",
        "/api/labels",
        "/tap/{name}/{path}",
        "/clickhouse/",
        "/api/dead-letters/{letter}/replay",
    )
}
ELSEWHERE = {("get", "/api/runs/{run}/reports/{step}")}  # test_reports.py: only a run with a report has one
OPEN = {("get", "/livez"), ("get", "/readyz")}  # tell of the process only


def test_every_route_is_one_that_this_file_tries(tenants: Tenants) -> None:
    """A new route is closed to tenants until tidemark/access.py lists it: then say here how one may reach too far."""
    paths = tenants.service["all"].get("/openapi.json").json()["paths"]
    assert {(method, path) for path, methods in paths.items() for method in methods} == {
        *READS,
        *WRITES,
        *ELSEWHERE,
        *OPEN,
    }


@pytest.mark.parametrize("route", READS, ids=lambda route: route[1])
def test_nothing_of_another_namespace_can_be_read(tenants: Tenants, route: tuple[str, str]) -> None:
    service = tenants.service
    page = service["all"].get("/api/predictions", limit=1).json()["next"]
    letters = service["all"].get("/api/dead-letters").json()["dead_letters"]
    letter = next(one["letter"] for one in letters if one["model"] == f"{HIDDEN}-model")
    urls = [url.replace("{all}", page).replace("{letter}", letter) for url in READS[route]]
    for url in urls:
        shown = service["mine"].get(url)
        assert HIDDEN not in said(shown.text, url), url
        assert THEIRS not in said(shown.text, url), url
    everything = [service["all"].get(url).text for url in urls]
    assert any(HIDDEN in text for text in everything), "there was something to be hidden"


def said(text: str, url: str) -> str:
    """An answer without the words that its caller sent."""
    for word in ("zebra-0-0", "zebra-orphan", *(("'team-b'", "team-b/") if "team-b" in url else ())):
        text = text.replace(word, "") if word.strip("'") in url else text
    return text


@pytest.mark.parametrize("id", ["shared", "shared-orphan"])
def test_an_id_in_common_is_ones_own_and_no_choice(tenants: Tenants, id: str) -> None:
    both = tenants.service["all"].get(f"/api/predictions/{id}")
    assert (both.status_code, len(both.json()["candidates"])) == (300, 2)
    for name, namespace in (("mine", MINE), ("theirs", THEIRS)):
        own = tenants.service[name].get(f"/api/predictions/{id}")
        assert (own.status_code, own.json()["namespace"]) == (200, namespace)


def test_an_id_of_another_is_answered_like_one_that_does_not_exist(tenants: Tenants) -> None:
    found, nothing = (tenants.service["mine"].get(f"/api/predictions/{id}") for id in ("zebra-0-0", "qwert-0-0"))
    assert (found.status_code, found.text.replace("zebra", "qwert")) == (404, nothing.text)


def test_what_is_ones_own_is_shown(tenants: Tenants) -> None:
    mine = tenants.service["mine"]
    assert {p["namespace"] for p in mine.get("/api/predictions").json()["predictions"]} == {MINE}
    assert "lion-model" in {m["model"] for m in mine.get("/api/models").json()["models"]}
    assert "lion-drift" in {m["name"] for m in mine.get("/api/monitors").json()["monitors"]}
    assert {r["monitor"] for r in mine.get("/api/results").json()["results"]} == {"lion-drift"}
    assert mine.get("/docs").status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/predictions?namespace=team-b", "/api/results?model=team-b/x", "/api/results?model=x"]
)
def test_asking_for_another_namespace_is_a_403_that_names_it(tenants: Tenants, path: str) -> None:
    answer = tenants.service["mine"].get(path)
    assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden_namespace")
    assert (
        f"the token may not use '{'team-b' if 'team-b' in path else 'default'}', only: team-a"
        in answer.json()["detail"]
    )
