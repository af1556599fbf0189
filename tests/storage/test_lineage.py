from datetime import UTC, datetime, timedelta
from typing import Any

from core.findings import Explanation, Finding, RowScore, RowSpan, Run, Score, Window
from storage.engine import Engine
from storage.findings.outcomes import Outcome, save
from storage.lookup.lineage import lineage

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def run(id: str, at: Window) -> Run:
    return Run(id, id, "default", "m", at, "done", NOON, NOON, 10)


def finding(run: Run, version: str = "", segment: str = "") -> Finding:
    return Finding(run.id, run.monitor, "ks", "default", "m", version, segment, "a", run.window, Score(0.5, 0.1), 5, 10)


def prediction(id: str, **tags: str) -> dict[str, Any]:
    same = {"namespace": "default", "model": "m", "version": "", "time": NOON, "received": NOON}
    return {**same, "id": id, "tags": tags}


def test_it_is_what_windows_that_hold_a_prediction_found(engine: Engine) -> None:
    by_rows = run("rows", Window(NOON, NOON, RowSpan((NOON, "p1"), (NOON, "p5"))))
    holding, later = run("holding", Window(NOON, NOON + HOUR)), run("later", Window(NOON + HOUR, NOON + 2 * HOUR))
    explained = Explanation("p3", "default", "m", "", "shapley", "p", 0.5, 0.25, {"a": 0.25}, {"a": 0.0}, 4)
    scored = RowScore("p3", "default", "m", "drift", "outliers", "holding", 0.9, 0.8)
    for one in (holding, later, by_rows):
        found = [finding(one), finding(one, segment="c=DE"), finding(one, segment="c=FR"), finding(one, version="2")]
        save(engine, Outcome(one, found, [scored], [explained]))
    known, outside = lineage(engine, [prediction("p3", c="DE"), prediction("p6")])
    assert known["scores"] == [
        {"monitor": "drift", "step": "outliers", "run": "holding", "score": 0.9, "threshold": 0.8}
    ]
    assert [(e["explainer"], e["values"]) for e in known["explanations"]] == [("shapley", {"a": 0.25})]
    places = {(r["run"], r["segment"], r["version"]) for r in known["results"]}
    assert places == {(r, s, "") for r in ("rows", "holding") for s in ("", "c=DE")}
    assert {r["run"] for r in outside["results"]} == {"holding"}
    assert (outside["scores"], outside["explanations"]) == ([], [])


def test_that_of_many_is_that_of_each(engine: Engine) -> None:
    one = run("one", Window(NOON, NOON + HOUR))
    scores = [RowScore(f"p{n}", "default", "m", "drift", "outliers", "one", n / 1000, 0.8) for n in range(0, 1200, 2)]
    save(engine, Outcome(one, [finding(one)], scores))
    many = [prediction(f"p{n}") for n in range(1200)]
    known = lineage(engine, [*many, {**prediction("p0"), "model": "other"}])
    assert [[s["score"] for s in k["scores"]] for k in known[:4]] == [[0.0], [], [0.002], []]
    assert sum(len(k["scores"]) for k in known) == 600
    assert [len(k["results"]) for k in known] == [1] * 1200 + [0]
