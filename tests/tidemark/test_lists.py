"""GET /api/predictions, /api/models, /api/monitors: filters, pages, and what is refused."""

from typing import Any

import pytest
from up_process import Up, eventually

MODEL = "listed"
HOURS = [f"2024-01-22T{hour:02}:00:00Z" for hour in range(10)]


@pytest.fixture(scope="module")
def listed(served: Up) -> Up:
    """Ten predictions an hour apart, every third of them failed, odd ones of customer c1; three share a time."""
    for n, hour in enumerate(HOURS):
        failed: dict[str, Any] = {"status": 500, "error": "no model"} if n % 3 == 0 else {}
        tags = {"customer": f"c{n % 2}"}
        served.send(MODEL, {"id": f"p{n}", "time": hour, "inputs": {"n": n}, "tags": tags, **failed})
    same = [{"id": f"same-{n}", "time": HOURS[0], "inputs": {"n": n}} for n in range(3)]
    served.send(MODEL, *({**p, "namespace": "team-a"} for p in same))
    eventually(lambda: len(ids(served)) == 13)
    return served


def ids(served: Up, **query: Any) -> list[str]:
    answer = served.get("/api/predictions", model=MODEL, **query)
    assert answer.status_code == 200, answer.text
    return [p["id"] for p in answer.json()["predictions"]]


def test_the_newest_come_first(listed: Up) -> None:
    assert ids(listed, namespace="default") == [f"p{n}" for n in reversed(range(10))]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"since": HOURS[7]}, [9, 8, 7]),
        ({"until": HOURS[2]}, [1, 0]),
        ({"since": HOURS[2], "until": HOURS[4]}, [3, 2]),
        ({"since": "2024-01-22T09:30:00+02:00", "until": HOURS[9]}, [8]),
        ({"status": 500}, [9, 6, 3, 0]),
        ({"tag": "customer=c1", "status": 200}, [7, 5, 1]),
        ({"tag": "customer=nobody"}, []),
        ({"limit": 2}, [9, 8]),
    ],
)
def test_filters_narrow_the_list(listed: Up, query: dict[str, Any], numbers: list[int]) -> None:
    assert ids(listed, namespace="default", **query) == [f"p{n}" for n in numbers]


def test_namespaces_are_apart(listed: Up) -> None:
    assert sorted(ids(listed, namespace="team-a")) == ["same-0", "same-1", "same-2"]
    assert ids(listed, namespace="nobody") == []


@pytest.mark.parametrize("limit", [1, 4, 13])
def test_the_cursor_walks_through_everything_once_and_in_order(listed: Up, limit: int) -> None:
    seen: list[dict[str, Any]] = []
    query: dict[str, Any] = {"model": MODEL, "limit": limit}
    while query.get("cursor") != "":
        page = listed.get("/api/predictions", **query).json()
        assert sorted(page) == ["next", "predictions"] and len(page["predictions"]) <= limit
        seen += page["predictions"]
        query["cursor"] = page["next"] or ""
    assert len({p["id"] for p in seen}) == len(seen) == 13
    assert [p["time"] for p in seen] == sorted((p["time"] for p in seen), reverse=True)


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("predictions", {"limit": 0}, "limit"),
        ("predictions", {"limit": 1001}, "limit"),
        ("predictions", {"limit": "many"}, "limit"),
        ("predictions", {"status": -1}, "status"),
        ("predictions", {"status": 70000}, "status"),
        ("predictions", {"since": "yesterday"}, "since"),
        ("predictions", {"until": "0001-01-01T00:00:00Z"}, "until"),
        ("predictions", {"tag": "customer"}, "tag"),
        ("predictions", {"cursor": "nonsense"}, "cursor"),
        ("predictions", {"modle": "x"}, "modle"),
        ("results", {"limit": 10_001}, "limit"),
        ("results", {"since": "9999-01-01T00:00:00Z"}, "since"),
        ("results", {"cursor": "bm8="}, "cursor"),
        ("results", {"monitors": "x"}, "monitors"),
    ],
)
def test_a_bad_parameter_is_named(served: Up, path: str, query: dict[str, Any], field: str) -> None:
    answer = served.get(f"/api/{path}", **query)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["field"] == field and said["detail"].startswith(f"{field}: ")
    assert said.keys() == {"type", "title", "status", "detail", "reason", "field"}


def test_what_does_not_exist_is_problem_details_too(served: Up) -> None:
    for path, status in (("/nothing", 404), ("/tap/nobody/v2", 404), ("/api/predictions/", 404)):
        answer = served.get(path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.status_code == answer.json()["status"] == status


def test_models_are_listed_with_their_fields_and_traffic(listed: Up) -> None:
    found = listed.get("/api/models").json()
    assert found["next"] is None
    (model,) = [m for m in found["models"] if (m["namespace"], m["model"]) == ("default", MODEL)]
    assert model == {
        "namespace": "default",
        "model": MODEL,
        "version": "",
        "predictions": 10,
        "failed": 4,
        "last_time": "2024-01-22T09:00:00.000000Z",
        "fields": [
            {"field": "n", "role": "input", "kind": "num", "tensor": "n", "position": 0, "width": 1, "datatype": "FP64"}
        ],
    }


def test_a_declared_category_is_one(served: Up) -> None:
    served.send("declared", {"id": "declared", "inputs": {"code": 3.0}})
    assert served.stored("declared")["inputs"] == {"code": "3"}
    (model,) = [m for m in served.get("/api/models").json()["models"] if m["model"] == "declared"]
    assert [(f["field"], f["kind"]) for f in model["fields"]] == [("code", "cat")]
