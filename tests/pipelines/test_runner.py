import random
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from prometheus_client import generate_latest
from stored_rows import NOON, store

from core.config import Config, parse
from core.errors import StepFailed
from core.findings import Run
from core.metrics import Metrics
from core.protocols import Predict
from core.records import ModelKey
from pipelines.runner import Runner
from storage.engine import Engine
from storage.findings import results
from storage.findings.results import ResultFilter

MINUTE = timedelta(minutes=1)


def config(
    window: str = "{every: 10m, settle: 30s}", reference: str = "{first_rows: 100}", more: str = "", step: str = "ks"
) -> Config:
    return parse(
        f"""
auto: false
monitors:
  - name: drift
    model: m
    reference: {reference}
    window: {window}
    steps: [{{name: d, use: {step}}}]
{more}
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

    def metric(self, name: str, **labels: str) -> float | None:
        defaults = {"namespace": "default", "model": "m", "monitor": "drift"}
        return self.metrics.registry.get_sample_value(name, defaults | labels)

    def score_labels(self) -> set[str]:
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return {line.split('field="')[1].split('"')[0] for line in lines if line.startswith("tidemark_score{")}


def numbers(mean: float, rows: int, seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).normal(mean, 1, rows).tolist()  # type: ignore[no-any-return]


def test_every_window_runs_exactly_once_whatever_the_restarts(engine: Engine) -> None:
    chance = random.Random(0)
    process, ran = Process(engine, config()), []
    store(engine, {"a": numbers(0, 7200)})
    for minute in range(0, 121, 7):
        if chance.random() < 0.4:
            process = Process(engine, config())
        ran += process.tick(NOON + minute * MINUTE)
    assert [run.window.end for run in ran] == [NOON + n * 10 * MINUTE for n in range(1, 12)]
    assert [run.rows for run in ran] == [600] * 11
    assert engine.rows("SELECT count() AS n FROM runs") == [{"n": 11}]


def test_a_monitor_stopped_before_its_first_window_still_begins_when_it_was_first_seen(engine: Engine) -> None:
    assert Process(engine, config()).tick(NOON + MINUTE) == []
    ran = Process(engine, config()).tick(NOON + 25 * MINUTE)
    assert [run.window.end for run in ran] == [NOON + 10 * MINUTE, NOON + 20 * MINUTE]


def test_a_window_whose_run_a_stop_cut_short_comes_again(engine: Engine) -> None:
    stop, plan = Event(), config(step="shapley")

    def interrupted(model: ModelKey, version: str) -> Predict:
        stop.set()
        raise StepFailed("its process died: SIGKILL")

    runner = Runner(engine, plan, Metrics(), interrupted, lambda: now)
    now = NOON
    runner.tick()
    store(engine, {"a": numbers(0, 600), "outputs.p": numbers(0, 600)})
    now += 11 * MINUTE
    assert runner.tick(stop) == []
    assert engine.rows("SELECT count() AS n FROM runs") == [{"n": 0}]
    stop.clear()
    (run,) = runner.tick(Event())
    assert (run.window.end, run.status) == (NOON + 10 * MINUTE, "failed")


def test_rows_that_come_within_settle_are_in_their_window(engine: Engine) -> None:
    process = Process(engine, config())
    process.tick(NOON)
    store(engine, {"a": numbers(0, 300)})
    end = NOON + 10 * MINUTE
    assert process.tick(end + timedelta(seconds=29)) == []
    store(engine, {"a": numbers(0, 50)}, NOON + 5 * MINUTE, received=end + timedelta(seconds=29))
    (run,) = process.tick(end + timedelta(seconds=30))
    assert run.rows == 350


def test_row_windows_hold_every_row_once_whatever_the_restarts(engine: Engine) -> None:
    plan, seconds = config("{rows: 40}"), 0
    process, ran = Process(engine, plan), []
    for batch in (90, 15, 1, 130, 39, 3, 95):
        store(engine, {"a": numbers(0, batch)}, NOON + timedelta(seconds=seconds), received=NOON + seconds * MINUTE)
        seconds += batch
        ran += process.tick(NOON + seconds * MINUTE)
        process = Process(engine, plan)
    assert [run.rows for run in ran] == [40] * ((seconds - 100) // 40)
    assert len({run.window.end for run in ran}) == len(ran)
    spans = [run.window.rows for run in ran if run.window.rows]
    assert all(earlier.last < later.first for earlier, later in pairwise(spans))
    assert engine.rows("SELECT count() AS n FROM runs FINAL") == [{"n": len(ran)}]


def test_a_model_without_a_monitor_gets_one_by_itself(engine: Engine) -> None:
    process = Process(engine, Config())
    rows: dict[str, list[float] | list[str]] = {
        "a": numbers(0, 2500),
        "c": ["x", "y"] * 1250,
        "outputs.p": numbers(0, 2500, 1),
    }
    store(engine, rows, model="in come")
    assert process.tick(NOON + MINUTE) == []
    (run,) = process.tick(NOON + 60 * MINUTE)
    (monitor,) = process.runner.monitors()
    assert run.monitor == monitor.name and monitor.name.startswith("auto/in-come-")
    found = results.page(engine, ResultFilter(monitor=monitor.name))["results"]
    assert {(r["step"], r["field"], r["fired"]) for r in found} == {
        ("ks", "a", False), ("ks", "p", False), ("chi_squared", "c", False),
    }  # fmt: skip
    assert {r["reference_rows"] for r in found} == {r["window_rows"] for r in found} == {1000}
    store(engine, {"a": numbers(4, 700), "c": ["x"] * 700}, NOON + 60 * MINUTE, model="in come")
    (run,) = process.tick(NOON + 120 * MINUTE)
    found = results.page(engine, ResultFilter(monitor=monitor.name, limit=4))["results"]
    assert {r["field"] for r in found if r["fired"]} >= {"a", "c"}


def test_automatic_monitors_can_be_switched_off_and_leave_watched_models_alone(engine: Engine) -> None:
    store(engine, {"a": [1.0]})
    store(engine, {"a": [1.0]}, namespace="team")
    assert [m.name for m in Process(engine, config()).runner.monitors()] == ["drift"]
    automatic = config().model_copy(update={"auto": True})
    assert [m.name for m in Process(engine, automatic).runner.monitors()] == ["drift", "auto/team/m"]


def test_gauges_follow_the_newest_window_and_survive_a_restart(engine: Engine) -> None:
    process = Process(engine, config())
    process.tick(NOON)
    store(engine, {"a": numbers(0, 600), "b": numbers(0, 600)})
    store(engine, {"a": numbers(3, 600, 1)}, NOON + 10 * MINUTE)
    process.tick(NOON + 11 * MINUTE)
    at = {"version": "", "step": "d", "field": "a", "segment": ""}
    assert process.metric("tidemark_fired", **at) == 0 and process.score_labels() == {"a", "b"}
    assert process.metric("tidemark_alarms_total") == 0
    process.tick(NOON + 21 * MINUTE)
    assert process.metric("tidemark_fired", **at) == 1 and process.score_labels() == {"a"}
    score, threshold = process.metric("tidemark_score", **at), process.metric("tidemark_threshold", **at)
    assert score is not None and threshold is not None and score > threshold
    assert process.metric("tidemark_alarms_total") == 1
    assert process.metric("tidemark_runs_total", status="done") == 2
    assert process.metric("tidemark_last_run_timestamp_seconds") == (NOON + 20 * MINUTE).timestamp()
    again = Process(engine, config())
    again.tick(NOON + 22 * MINUTE)
    assert again.metric("tidemark_score", **at) == score and again.score_labels() == {"a"}
    store(engine, {"a": numbers(3, 600, 2)}, NOON + 20 * MINUTE)
    again.tick(NOON + 31 * MINUTE)
    assert again.metric("tidemark_alarms_total") == 0


def test_an_alarm_is_one_clear_line(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    process = Process(engine, config())
    process.tick(NOON)
    store(engine, {"a": numbers(0, 600)})
    store(engine, {"a": numbers(3, 600, 1)}, NOON + 10 * MINUTE)
    process.tick(NOON + 21 * MINUTE)
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert line.startswith("ALARM drift: d a 0.") and "(model m, window to 2026-11-01T12:20:00+00:00)" in line


def test_a_monitor_whose_data_set_is_missing_waits_and_says_so_once(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = "  - {name: other, model: m, reference: {window: 5m}, window: {every: 10m}, steps: [{name: d, use: ks}]}"
    file = tmp_path / "train.csv"
    process = Process(engine, config(reference=f"{{dataset: '{file}'}}", more=other))
    process.tick(NOON)
    store(engine, {"a": numbers(0, 1200)})
    assert [run.monitor for run in process.tick(NOON + 11 * MINUTE)] == ["other"]
    assert [run.monitor for run in process.tick(NOON + 21 * MINUTE)] == ["other"]
    (line,) = [r.getMessage() for r in caplog.records if "waits" in r.getMessage()]
    assert "no data set and no file is named" in line and "train.csv" in line
    file.write_text("a\n1\n2\n3\n")
    assert [run.window.end for run in process.tick(NOON + 22 * MINUTE)] == [NOON + 10 * MINUTE, NOON + 20 * MINUTE]


def test_the_loop_ends_when_told(engine: Engine) -> None:
    stop = Event()
    thread = Thread(target=Process(engine, config()).runner.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_model_is_watched_in_the_namespace_declared_for_it(engine: Engine) -> None:
    process = Process(engine, config(more="models: {m: {namespace: team-a}}"))
    process.tick(NOON)
    store(engine, {"a": numbers(0, 1200)}, namespace="team-a")
    (run,) = process.tick(NOON + 11 * MINUTE)
    assert (run.namespace, run.model, run.rows) == ("team-a", "m", 600)
