from datetime import UTC, datetime, timedelta

import pytest

from core.errors import Rejected
from core.findings import Finding, RowScore, Run, Score, Window
from core.records import ModelKey
from storage.engine import Engine
from storage.findings import results, runs
from storage.findings.outcomes import Outcome, save
from storage.findings.results import ResultFilter

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def window(hour: int) -> Window:
    return Window(NOON + hour * HOUR, NOON + (hour + 1) * HOUR)


def run(hour: int, monitor: str = "drift", at: Window | None = None) -> Run:
    return Run(f"{monitor}-{hour}", monitor, "default", "m", at or window(hour), "done", NOON, NOON, 10)


def finding(run: Run, field: str, score: float | None = 0.5, version: str = "", segment: str = "") -> Finding:
    found = Score(score, None if score is None else 0.1, 0.01, 0.2, "why", (0.1, 0.3), 0.15)
    return Finding(run.id, run.monitor, "ks", "default", "m", field=field, window=run.window, score=found,
                   reference_rows=5, window_rows=10, version=version, segment=segment, alpha=0.01, rank=1)  # fmt: skip


def test_a_result_has_the_columns_of_the_contract_and_what_makes_it_one_to_trust(engine: Engine) -> None:
    save(engine, Outcome(run(0), [finding(run(0), "age")]))
    (row,) = results.page(engine, ResultFilter())["results"]
    assert row == {
        "run": "drift-0", "revision": 0, "monitor": "drift", "step": "ks", "namespace": "default", "model": "m",
        "version": "", "segment": "", "field": "age", "window_start": "2026-11-01T12:00:00.000000Z",
        "window_end": "2026-11-01T13:00:00.000000Z", "score": 0.5, "threshold": 0.1, "fired": True, "p_value": 0.01,
        "effect": 0.2, "reference_rows": 5, "window_rows": 10, "reason": "why", "interval": [0.1, 0.3],
        "detectable": 0.15, "basis": "rows", "error_bound": 0.0, "alpha": 0.01, "calibration": "", "rank": 1,
    }  # fmt: skip


def test_an_undecidable_finding_has_no_numbers_and_did_not_fire(engine: Engine) -> None:
    save(engine, Outcome(run(0), [finding(run(0), "age", None)]))
    (row,) = results.page(engine, ResultFilter())["results"]
    assert (row["score"], row["threshold"], row["fired"]) == (None, None, False)


def test_the_same_run_saved_twice_is_there_once(engine: Engine) -> None:
    score = RowScore("p1", "default", "m", "drift", "outliers", "drift-0", 0.9, 0.8)
    outcome = Outcome(run(0), [finding(run(0), "age"), finding(run(0), "size")], [score])
    save(engine, outcome)
    before = results.page(engine, ResultFilter())
    save(engine, outcome)
    assert results.page(engine, ResultFilter()) == before
    assert engine.rows("SELECT count() AS n FROM scores FINAL") == [{"n": 1}]
    assert runs.last_runs(engine) == {"drift": run(0)}


def test_pages_follow_each_other_without_gap_or_repeat(engine: Engine) -> None:
    for hour in range(3):
        save(engine, Outcome(run(hour), [finding(run(hour), f) for f in "abc"]))
    seen, cursor = [], ""
    while cursor is not None:
        page = results.page(engine, ResultFilter(limit=2, cursor=cursor))
        seen += [(r["window_end"], r["field"]) for r in page["results"]]
        cursor = page["next"]
    assert len(seen) == 9 and seen == sorted(set(seen), reverse=True)


def test_filters_narrow_the_list(engine: Engine) -> None:
    for monitor in ("drift", "other"):
        for hour in range(2):
            one = run(hour, monitor)
            save(engine, Outcome(one, [finding(one, f) for f in "ab"]))

    def count(**wanted: object) -> int:
        return len(results.page(engine, ResultFilter(**wanted))["results"])  # type: ignore[arg-type]

    assert count() == 8
    assert count(monitor="drift") == count(field="a") == count(since=NOON + 2 * HOUR) == 4
    assert count(step="psi") == count(model=ModelKey("team", "m")) == 0
    assert count(model=ModelKey("default", "m"), monitor="drift", field="b", since=NOON + 2 * HOUR) == 1


def test_a_cursor_of_ones_own_making_is_refused(engine: Engine) -> None:
    for cursor in ("x", "bm8=", "WzFd"):
        with pytest.raises(Rejected, match="cursor"):
            results.page(engine, ResultFilter(cursor=cursor))


def test_the_latest_results_are_those_of_each_monitors_newest_window(engine: Engine) -> None:
    for monitor, hours in (("drift", 3), ("other", 1)):
        for hour in range(hours):
            one = run(hour, monitor)
            save(engine, Outcome(one, [finding(one, "a")]))
    assert [r["run"] for r in results.latest(engine)] == ["drift-2", "other-0"]


def test_a_monitor_was_first_seen_when_it_was_first_asked_about(engine: Engine) -> None:
    assert runs.first_seen(engine, "drift", NOON) == NOON
    assert runs.first_seen(engine, "drift", NOON + HOUR) == NOON
