"""Windows merged from profiles, and run again when rows of theirs come late."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from stored_rows import NOON, store

from core.config import Config, parse
from core.findings import Finding, Report, Run, Score, Window
from core.metrics import Metrics
from core.protocols import Predict
from core.records import ModelKey
from pipelines.runner import Runner
from pipelines.windows.late import revised
from storage.engine import Engine
from storage.findings import results
from storage.findings.outcomes import Outcome
from storage.findings.results import ResultFilter

MINUTE = timedelta(minutes=1)
TEN = 10 * MINUTE


EVERY_TEN = "{every: 10m, settle: 30s}"


def config(exact: bool = False, window: str = EVERY_TEN, reference: str = "{first_rows: 100}") -> Config:
    return parse(
        f"""
auto: false
monitors:
  - name: drift
    model: m
    reference: {reference}
    window: {window}
    exact: {str(exact).lower()}
    steps: [{{name: d, use: ks}}]
"""
    )


def no_model(model: ModelKey, version: str) -> Predict:
    raise AssertionError("no step asks a model")


class Process:
    """A runner that is started, ticks at given times and is stopped."""

    def __init__(self, engine: Engine, config: Config) -> None:
        self.metrics, self.now = Metrics(), NOON
        self.runner = Runner(engine, config, self.metrics, no_model, lambda: self.now)

    def tick(self, now: datetime) -> list[Run]:
        self.now = now
        return self.runner.tick()

    def fired(self) -> float | None:
        labels = {"namespace": "default", "model": "m", "version": "", "monitor": "drift", "step": "d", "field": "a"}
        return self.metrics.registry.get_sample_value("tidemark_fired", {**labels, "segment": ""})


def numbers(mean: float, rows: int, seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).normal(mean, 1, rows).tolist()  # type: ignore[no-any-return]


def shown(engine: Engine) -> list[dict[str, Any]]:
    return results.page(engine, ResultFilter())["results"]  # type: ignore[no-any-return]


def all_of_them(engine: Engine) -> list[tuple[datetime, int, int]]:
    rows = engine.rows("SELECT window_end, revision, window_rows FROM results FINAL ORDER BY window_end, revision")
    return [(row["window_end"], row["revision"], row["window_rows"]) for row in rows]


def started(engine: Engine, minutes: int, **parts: Any) -> Process:
    """A process that has seen so many minutes of a row a second, and run their windows."""
    process = Process(engine, config(**parts))
    process.tick(NOON)
    store(engine, {"a": numbers(0, 60 * minutes)})
    process.tick(NOON + (minutes + 1) * MINUTE)
    return process


def test_findings_say_what_they_were_computed_from_and_within_what_error(engine: Engine) -> None:
    for start, exact in ((NOON, False), (NOON + TEN, True)):
        process = Process(engine, config(exact))
        process.tick(start)
        store(engine, {"a": numbers(0, 30_000)}, start, step=timedelta(milliseconds=20))
        (run,) = process.tick(start + 11 * MINUTE)
        assert run.rows == 30_000
    merged, counted = sorted(shown(engine), key=lambda row: row["window_end"])
    assert (merged["basis"], counted["basis"], counted["error_bound"]) == ("profiles", "rows", 0)
    assert 0 < merged["error_bound"] <= 0.0015


def test_a_reference_window_is_merged_too_and_the_same_as_its_rows(engine: Engine) -> None:
    store(engine, {"a": numbers(0, 600)}, NOON - TEN)
    store(engine, {"a": numbers(1, 600, 1)})
    scores = []
    for exact in (False, True):
        engine.command("TRUNCATE TABLE runs")
        process = Process(engine, config(exact, reference="{window: 10m}"))
        process.tick(NOON)
        process.tick(NOON + 11 * MINUTE)
        scores += [{**row, "run": "", "basis": ""} for row in shown(engine)]
    assert scores[0] == scores[1] and scores[0]["fired"]


def test_rows_within_settle_need_no_second_run(engine: Engine) -> None:
    process = Process(engine, config())
    process.tick(NOON)
    store(engine, {"a": numbers(0, 590)})
    process.tick(NOON + TEN)
    store(engine, {"a": numbers(0, 10, 1)}, NOON + 5 * MINUTE + timedelta(microseconds=1))
    (run,) = process.tick(NOON + TEN + 30 * timedelta(seconds=1))
    assert (run.rows, run.revision) == (600, 0)
    assert process.tick(NOON + TEN + 5 * MINUTE) == process.tick(NOON + TEN + 7 * MINUTE) == []


def test_late_rows_run_their_windows_again_and_these_only(engine: Engine) -> None:
    process = started(engine, 30)
    assert all_of_them(engine) == [(NOON + n * TEN, 0, 600) for n in (1, 2, 3)]
    store(engine, {"a": numbers(0, 50, 1)}, NOON + 15 * MINUTE + timedelta(microseconds=1))
    assert process.tick(NOON + 32 * MINUTE) == []  # they gather
    (again,) = process.tick(NOON + 33 * MINUTE)
    assert (again.window.end, again.rows, again.revision) == (NOON + 2 * TEN, 650, 1)
    assert process.tick(NOON + 34 * MINUTE) == []
    assert [(row["revision"], row["window_rows"]) for row in shown(engine)] == [(0, 600), (1, 650), (0, 600)]
    assert (NOON + 2 * TEN, 0, 600) in all_of_them(engine) and (NOON + 2 * TEN, 1, 650) in all_of_them(engine)
    store(engine, {"a": numbers(0, 50, 2)}, NOON + 15 * MINUTE + timedelta(microseconds=2))
    process.tick(NOON + 34 * MINUTE)
    (again,) = process.tick(NOON + 35 * MINUTE)
    assert (again.rows, again.revision) == (700, 2)
    assert {row["id"] for row in engine.rows("SELECT id FROM runs FINAL WHERE revision > 0")} >= {again.id}
    assert len(shown(engine)) == 3


@pytest.mark.parametrize("window", [EVERY_TEN, "{every: 600s, over: 630s, settle: 30s}"])
def test_a_restart_in_between_loses_no_late_row(engine: Engine, window: str) -> None:
    process = started(engine, 20, window=window)
    store(engine, {"a": numbers(0, 50, 1)}, NOON + 5 * MINUTE + timedelta(microseconds=1))
    process.tick(NOON + 22 * MINUTE)  # noticed
    process = Process(engine, config(window=window))
    process.tick(NOON + 23 * MINUTE)
    process.runner._profiles.keep_up(NOON + 24 * MINUTE)  # profiled, and killed before the windows were run again
    process = Process(engine, config(window=window))
    (again,) = process.tick(NOON + 25 * MINUTE)
    assert (again.window.end, again.rows, again.revision) == (NOON + TEN, 650, 1)
    assert Process(engine, config(window=window)).tick(NOON + 26 * MINUTE) == []


def test_gauges_follow_the_newest_window_only_whatever_came_late_to_others(engine: Engine) -> None:
    process = started(engine, 20)
    assert process.fired() == 0
    store(engine, {"a": numbers(9, 600, 1)}, NOON + timedelta(microseconds=1))
    process.tick(NOON + 22 * MINUTE)
    (again,) = process.tick(NOON + 23 * MINUTE)
    assert again.window.end == NOON + TEN and process.fired() == 0
    assert {row["window_end"][11:16]: row["fired"] for row in shown(engine)} == {"12:10": True, "12:20": False}
    store(engine, {"a": numbers(9, 600, 1)}, NOON + TEN + timedelta(microseconds=1))
    process.tick(NOON + 24 * MINUTE)
    (again,) = process.tick(NOON + 25 * MINUTE)
    assert again.window.end == NOON + 2 * TEN and process.fired() == 1
    process = Process(engine, config())
    process.tick(NOON + 26 * MINUTE)
    assert process.fired() == 1


def test_a_back_fill_runs_a_bounded_number_of_windows_again_at_once_the_newest_first(engine: Engine) -> None:
    window = "{every: 1m, settle: 30s}"
    process = started(engine, 30, window=window)
    store(engine, {"a": numbers(0, 1800, 1)}, NOON + timedelta(microseconds=1))
    process.tick(NOON + 32 * MINUTE)
    store(engine, {"a": numbers(0, 120)}, NOON + 31 * MINUTE)
    rounds = [process.tick(NOON + 33 * MINUTE + n * timedelta(milliseconds=1)) for n in range(4)]
    (live, *first) = rounds[0]
    assert live.revision == 0 and len(first) == 10
    assert first[0].window.end == NOON + 30 * MINUTE and rounds[1][0].window.end == NOON + 20 * MINUTE
    assert [len(runs) for runs in rounds] == [11, 10, 10, 0]
    assert {run.rows for runs in rounds for run in runs if run.revision} == {120}
    assert all(row["revision"] == 1 for row in shown(engine) if row["window_rows"] == 120)


def test_the_profiles_of_a_reference_outlive_a_restart(engine: Engine) -> None:
    started(engine, 20)
    before = shown(engine)
    assert before[0]["basis"] == "profiles"
    engine.command("TRUNCATE TABLE references")  # rows of it are read no more
    process = Process(engine, config())
    store(engine, {"a": numbers(0, 600)}, NOON + 20 * MINUTE)
    process.tick(NOON + 31 * MINUTE)
    (newest, *others) = shown(engine)
    assert others == before and newest["score"] is not None and newest["reference_rows"] == 100


def test_a_reason_that_names_a_report_names_that_of_its_own_revision() -> None:
    window = Window(NOON, NOON + TEN)
    run = Run("r0", "drift", "default", "m", window, "done", NOON, NOON, 9)
    score = Score(0.5, 0.1, reason="0.5 > 0.1; report at /api/runs/r0/reports/d")
    finding = Finding("r0", "drift", "d", "default", "m", "", "", "a", window, score, 9, 9)
    first = Outcome(run, [finding], reports=[Report("r0", "d", "", "default", "<html>")])
    again = revised(first, run, states=7)
    assert (again.run.revision, again.run.states) == (1, 7) and again.run.id != "r0"
    assert {again.run.id} == {one.run for one in (*again.findings, *again.reports)}
    assert again.findings[0].score.reason == f"0.5 > 0.1; report at /api/runs/{again.run.id}/reports/d"
