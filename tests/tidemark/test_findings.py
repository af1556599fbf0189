"""/api/monitors and /api/results, and the monitor that a model gets by itself."""

from typing import Any

import numpy as np
import pytest
from up_process import Up, eventually

RESULT = {
    *("run", "revision", "monitor", "step", "namespace", "model", "version", "segment", "field"),
    *("window_start", "window_end", "score", "threshold", "fired", "p_value", "effect"),
    *("reference_rows", "window_rows", "reason"),
    *("interval", "detectable", "basis", "error_bound", "alpha", "calibration", "rank"),  # beyond the contract
}


@pytest.fixture(scope="module")
def found(served: Up) -> Up:
    """A watched model's reference, a calm window and a shifted one; and as much of a model that nobody watches."""
    rng = np.random.default_rng(8)
    for part, shift in (("reference", 0), ("calm", 0), ("shifted", 30)):
        for model, count in (("watched", 200), ("unwatched", 1000)):
            served.send(model, *rows(f"{model}-{part}", rng, count, shift))
    eventually(lambda: len(results(served, model="unwatched", step="ks")) >= 4, 30)
    eventually(lambda: len(results(served, model="watched", step="drift")) >= 4, 30)
    return served


def rows(name: str, rng: np.random.Generator, count: int, shift: float) -> list[dict[str, Any]]:
    ages, sizes = rng.normal(40 + shift, 10, count).tolist(), rng.exponential(2, count).tolist()
    countries = rng.choice(["DE", "FR", "IT" if shift else "DE"], count).tolist()
    return [
        {"id": f"{name}-{n}", "inputs": {"age": age, "country": country}, "outputs": {"size": size}}
        for n, (age, size, country) in enumerate(zip(ages, sizes, countries, strict=True))
    ]


def results(served: Up, **query: Any) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = served.get("/api/results", **query).json()["results"]
    return said


def test_a_shift_is_found_in_the_fields_that_shifted(found: Up) -> None:
    fired = {(r["field"], r["window_end"]): r["fired"] for r in results(found, monitor="watched-drift", step="drift")}
    calm, shifted = sorted({end for _, end in fired})
    assert [fired["age", end] for end in (calm, shifted)] == [False, True]
    assert [fired["size", end] for end in (calm, shifted)] == [False, False]


def test_results_have_the_keys_of_the_contract_and_say_how_sure_they_are(found: Up) -> None:
    for result in results(found, monitor="watched-drift"):
        assert result.keys() == RESULT
        assert (result["namespace"], result["model"], result["version"]) == ("default", "watched", "")
        assert result["fired"] == (result["score"] is not None and result["score"] > result["threshold"])
        assert (result["reference_rows"], result["window_rows"]) == (200, 200)
        assert result["window_start"] <= result["window_end"]
        assert result["score"] is not None or result["reason"]


def test_results_are_narrowed_and_paged(found: Up) -> None:
    everything = results(found, monitor="watched-drift")
    assert results(found, model="watched") == everything
    assert results(found, model="team-a/watched") == results(found, monitor="nobody") == []
    assert {r["field"] for r in results(found, monitor="watched-drift", field="age")} == {"age"}
    assert {r["step"] for r in everything} >= {"drift", "shape", "rows"}
    newest = max(r["window_end"] for r in everything)
    assert {r["window_end"] for r in results(found, monitor="watched-drift", since=newest)} == {newest}
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = found.get("/api/results", monitor="watched-drift", limit=3, cursor=cursor).json()
        seen, cursor = seen + page["results"], page["next"]
    assert seen == everything


def test_a_model_without_a_monitor_gets_one_that_finds_the_shift(found: Up) -> None:
    fired = {(r["step"], r["field"]): r["fired"] for r in reversed(results(found, model="unwatched"))}
    assert fired["ks", "age"] and fired["chi_squared", "country"]
    assert not fired["ks", "size"]
    assert {r["monitor"] for r in results(found, model="unwatched")} == {"auto/unwatched"}


def test_monitors_are_listed_with_their_configuration_and_newest_run(found: Up) -> None:
    listed = found.get("/api/monitors").json()
    by_name = {monitor["name"]: monitor for monitor in listed["monitors"]}
    declared, automatic = by_name["watched-drift"], by_name["auto/unwatched"]
    assert listed["next"] is None
    assert declared["model"] == "watched"
    assert (declared["reference"], declared["window"]) == ({"first_rows": 200}, {"rows": 200})
    assert [(s["name"], s["use"]) for s in declared["steps"]] == [
        ("drift", "ks"),
        ("shape", "psi"),
        ("rows", "mahalanobis"),
    ]
    assert declared["alert"]["severity"] == "ticket"
    assert (declared["last_run"]["status"], declared["last_run"]["rows"]) == ("done", 200)
    assert (automatic["reference"], automatic["window"]) == ({"first_rows": 1000}, {"rows": 1000})


def test_a_prediction_knows_what_was_found_in_its_window(found: Up) -> None:
    calm, shifted = (found.stored(f"watched-{part}-7") for part in ("calm", "shifted"))
    assert {r["step"] for r in shifted["results"]} >= {"drift", "shape", "rows"}
    assert any(r["fired"] for r in shifted["results"] if r["field"] == "age")
    assert not any(r["fired"] for r in calm["results"] if r["step"] == "drift")
    assert [(s["monitor"], s["step"]) for s in shifted["scores"]] == [("watched-drift", "rows")]
    assert found.stored("watched-reference-7")["results"] == []


def test_the_gauges_follow_the_newest_window(found: Up) -> None:
    text = found.get("/metrics").text
    labels = (
        'field="age",model="watched",monitor="watched-drift",namespace="default",segment="",step="drift",version=""'
    )
    assert f"tidemark_fired{{{labels}}} 1.0" in text
    score, threshold = (value(text, f"tidemark_{name}{{{labels}}}") for name in ("score", "threshold"))
    assert score > threshold > 0
    assert value(text, 'tidemark_alarms_total{model="watched",monitor="watched-drift",namespace="default"}') == 1


def value(text: str, series: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{series} ")]
    return float(line.split()[-1])
