"""POST /api/labels, and what becomes of labels: by prediction, as SQL, in the ledger."""

from typing import Any

import pytest
import requests
from up_process import Tidemark, Up, eventually

from core.times import micros


def post(served: Up, *labels: Any, **query: str) -> requests.Response:
    return requests.post(f"{served.url}/api/labels", json={"labels": labels}, params=query, timeout=20)


def shown(served: Up, id: str, count: int, **query: str) -> list[dict[str, Any]]:
    """The labels of a prediction, once there are so many."""

    def labels() -> list[dict[str, Any]]:
        answer = served.get(f"/api/predictions/{id}", **query)
        found: list[dict[str, Any]] = answer.json().get("labels", []) if answer.ok else []
        return found if len(found) == count else []

    return eventually(labels)  # type: ignore[no-any-return]


def test_every_revision_is_shown_the_newest_first_with_its_value_as_it_was_sent(served: Up) -> None:
    served.send("labelled", {"id": "revised", "inputs": {"x": 1}})
    served.stored("revised")
    first = {"id": "revised", "model": "labelled", "name": "churned", "value": True, "source": "crm"}
    assert post(served, {**first, "time": "2026-01-03T00:00:00Z"}).json()["accepted"] == 1
    post(served, {**first, "value": 0.5, "time": "2026-01-02T00:00:00Z"}, {**first, "value": "no"})
    labels = shown(served, "revised", 3)
    assert [label["value"] for label in labels] == ["no", True, 0.5]
    assert labels[0]["time"] == labels[0]["received"] > labels[1]["time"] == "2026-01-03T00:00:00.000000Z"
    assert {(label["name"], label["source"]) for label in labels} == {("churned", "crm")}


def test_a_label_that_comes_first_is_found_with_and_without_its_model(served: Up) -> None:
    assert post(served, {"id": "early", "value": 1}, {"id": "early", "model": "other", "value": 2}).status_code == 202
    served.send("early-model", {"id": "early", "inputs": {"x": 1}})
    assert [label["value"] for label in shown(served, "early", 1, model="early-model")] == [1.0]


def test_the_model_is_found_by_the_id_and_a_choice_of_models_is_refused(served: Up, tidemark: Tidemark) -> None:
    served.send("alone", {"id": "one-hit"}, {"id": "two-hits"})
    served.send("beside", {"id": "two-hits"})
    served.stored("one-hit")
    eventually(lambda: served.get("/api/predictions/two-hits").status_code == 300)
    said = post(served, {"id": "one-hit", "value": 1}, {"id": "two-hits", "value": 1}).json()
    assert (said["accepted"], [(r["row"], r["field"]) for r in said["rejected"]]) == (1, [(1, "model")])
    assert "alone, beside" in said["rejected"][0]["reason"]
    shown(served, "one-hit", 1)
    sql = "SELECT model, value, num FROM labels WHERE id = 'one-hit'"
    assert (
        tidemark("query", sql, "--format", "csv", "--store", served.store).out
        == '"model","value","num"\n"alone","1",1\n'
    )


def test_the_id_of_a_request_of_several_rows_is_refused_and_its_rows_are_labelled(served: Up) -> None:
    tensor = {"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [[1.0], [2.0]]}
    served.event("request", "several", "pair", {"inputs": [tensor]})
    served.event("response", "several", "pair", {"outputs": [{**tensor, "name": "y"}]})
    served.stored("pair-1")
    refused = post(served, {"id": "pair", "value": 1})
    assert (refused.status_code, refused.json()["field"], refused.json()["reason"]) == (422, "id", "several_rows")
    mixed = post(served, {"id": "pair-0", "value": 1}, {"id": "pair", "model": "several", "value": 1})
    assert (mixed.status_code, mixed.json()["accepted"], mixed.json()["rejected"][0]["row"]) == (202, 1, 1)
    assert shown(served, "pair-0", 1)[0]["value"] == 1.0


def test_an_equal_label_is_a_duplicate_and_a_value_come_back_is_a_revision(served: Up) -> None:
    timed = {"id": "again", "value": 1, "time": "2026-01-01T00:00:00Z"}
    assert post(served, timed, timed, {**timed, "value": 2}, timed).json()["duplicate"] == 2
    values = ["a", "a", "b", "a"]
    assert [post(served, {"id": "back", "value": value}).json()["duplicate"] for value in values] == [0, 1, 0, 0]


def test_a_bad_label_costs_a_dead_letter_and_not_its_neighbours(served: Up) -> None:
    good = {"id": "good", "value": 1}
    bad = [{"id": "x"}, {"value": 1}, 3, {**good, "valeu": 2}, {**good, "value": [1]}, {**good, "time": "now"}]
    said = post(served, good, *bad, namespace="bad-labels").json()
    assert said["accepted"] == 1
    fields = [(r["row"], r["field"]) for r in said["rejected"]]
    assert fields == [(1, "value"), (2, "id"), (3, ""), (4, "valeu"), (5, "value"), (6, "time")]
    letters = eventually(lambda: _letters(served, 6))
    assert {letter["source"] for letter in letters} == {"labels"}
    assert {letter["path"] for letter in letters} == {"/api/labels?namespace=bad-labels"}


def _letters(served: Up, count: int) -> list[dict[str, Any]]:
    found = served.get("/api/dead-letters", limit=1000).json()["dead_letters"]
    ours = [letter for letter in found if letter["namespace"] == "bad-labels"]
    return ours if len(ours) == count else []


def test_a_refused_label_can_be_replayed_and_is_told_why_it_is_refused_still(served: Up) -> None:
    assert post(served, {"id": "two-owners", "value": None}, model="owned").json()["rejected"]

    def letter() -> str:
        found = served.get("/api/dead-letters", model="owned").json()["dead_letters"]
        return next((str(x["letter"]) for x in found), "")

    again = requests.post(f"{served.url}/api/dead-letters/{eventually(letter)}/replay", timeout=20)
    assert (again.status_code, again.json()["field"]) == (422, "value")


@pytest.mark.parametrize(
    ("body", "content_type", "query", "status", "field"),
    [
        ("{", "application/json", "", 400, None),
        ("[]", "application/json", "", 400, "labels"),
        ('{"labels": {}}', "application/json", "", 400, "labels"),
        ('{"labels": [], "modle": "m"}', "application/json", "", 400, "modle"),
        ('{"labels": []}', "text/csv", "", 415, "content-type"),
        ('{"labels": []}', "application/json", "?version=1", 400, "version"),
    ],
)
def test_a_call_that_is_bad_as_a_whole_names_the_field(
    served: Up, body: str, content_type: str, query: str, status: int, field: str | None
) -> None:
    headers = {"content-type": content_type}
    answer = requests.post(f"{served.url}/api/labels{query}", body, headers=headers, timeout=20)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json().get("field")) == (status, field)


def test_labels_are_in_the_ledger_and_counted(served: Up) -> None:
    post(served, {"id": "a", "model": "booked", "value": 1}, {"id": "b", "model": "booked", "value": 1})

    def line() -> dict[str, Any] | None:
        lines = served.get("/api/ledger").json()["entries"]
        return next((x for x in lines if (x["tap"], x["model"], x.get("stored")) == ("labels", "booked", 2)), None)

    assert eventually(line)["difference"] == 0
    metric = 'tidemark_labels_stored_total{model="booked",namespace="default"} 2.0'
    eventually(lambda: metric in served.get("/metrics").text)


def test_times_are_read_as_they_are_for_predictions_and_refused_where_they_cannot_be_meant(served: Up) -> None:
    served.send("timely", {"id": "timely"})
    at = "2026-01-01T00:00:00.000001Z"
    post(served, {"id": "timely", "name": "n", "value": 1, "time": micros(at) / 1e6})
    (timely,) = shown(served, "timely", 1)
    assert (timely["time"], timely["name"]) == (at, "n")
    for time in ("2126-01-01T00:00:00Z", "1800-01-01T00:00:00Z"):
        said = post(served, {"id": "timely", "value": 2}, {"id": "timely", "value": 1, "time": time}).json()
        assert [(bad["row"], bad["field"]) for bad in said["rejected"]] == [(1, "time")]
        assert said["rejected"][0]["reason"].startswith(time[:19])
