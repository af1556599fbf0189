"""A backtest finds what live monitors found, and leaves nothing behind."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replayed import backtested, of_live, replay
from stored_rows import NOON, store

from core.config import Config, parse
from core.findings import Window
from core.metrics import Metrics
from pipelines.backtested import Backtested
from pipelines.runner import Runner
from storage.engine import Engine

REFERENCES = ("references", "reference_versions")
MINUTE = timedelta(minutes=1)
LIVE = """
auto: false
monitors:
  - name: timed
    model: m
    reference: {first_rows: 2000}
    window: {every: 5m, settle: 30s}
    steps: [{name: d, use: ks}, {name: o, use: mahalanobis}, {name: why, use: shapley, after: o.fired}]
  - name: sliding
    model: m
    reference: {window: 10m}
    window: {every: 10m, over: 5m, settle: 30s}
    segments: [tags.c]
    steps: [{name: d, use: psi}, {name: k, use: ks}]
  - name: rows
    model: m
    reference: {first_rows: 1500}
    window: {rows: 1250}
    steps: [{name: d, use: ks}]
  - name: against
    model: m
    reference: {dataset: '%s'}
    window: {rows: 850}
    steps: [{name: d, use: ks}]
  - name: bearing
    model: m
    reference: {window: 20m}
    window: {every: 15m, over: 1m, settle: 30s}
    false_alarms: 1/20 windows
    steps: [{name: d, use: ks}, {name: s, use: cusum, options: {h: 15}}]
"""
MINUTES = 45


def traffic(engine: Engine, minute: int, **columns: Any) -> None:
    """300 rows, more than a minute's profile keeps; `a` is shifted in minutes 15 to 20 and 35 to 40."""
    chance, at = np.random.default_rng(minute), NOON + minute * MINUTE + timedelta(seconds=30)
    shift = 3.0 if 15 <= minute < 20 or 35 <= minute < 40 else 0.0
    fields = {"a": chance.normal(shift, 1, 300).tolist(), "b": chance.normal(0, 1, 300).tolist()}
    store(engine, fields, at, **{"time": at, "received": at, **columns})


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "train.csv"
    chance = np.random.default_rng(99)
    file.write_text("a,b\n" + "".join(f"{x},{y}\n" for x, y in chance.normal(0, 1, (400, 2))))
    return parse(LIVE % file)


def live(engine: Engine, config: Config) -> tuple[datetime, dict[str, float]]:
    """Monitors that run while rows come in; when they ended, and the alarms of each as Prometheus counts them."""
    metrics, now = Metrics(), NOON

    def no_model(model: object, version: str) -> Any:
        raise AssertionError("no step asks a model")

    runner = Runner(engine, config, metrics, no_model, lambda: now)
    runner.tick()
    for minute in range(0, MINUTES, 5):
        for part in range(minute, minute + 5):
            traffic(engine, part, tags=[("c", "x" if part % 2 else "y")])
        now = NOON + (minute + 5) * MINUTE + timedelta(seconds=35)
        runner.tick()
    runner.close()
    labels = {"namespace": "default", "model": "m"}
    value = metrics.registry.get_sample_value
    names = [monitor.name for monitor in config.monitors]
    return now, {n: value("tidemark_alarms_total", {**labels, "monitor": n}) or 0.0 for n in names}


def left_behind(engine: Engine) -> list[Any]:
    tables = ("results", "runs", "scores", "explanations", "monitors", "profiles_minute", "profiles_hour", *REFERENCES)
    return [engine.rows(f"SELECT '{t}' AS name, count() AS rows, sum(cityHash64(*)) AS hash FROM {t}") for t in tables]


def test_over_a_stretch_that_was_monitored_it_gives_the_same_alarms_windows_and_scores(
    engine: Engine, config: Config
) -> None:
    now, alarms = live(engine, config)
    before = left_behind(engine)
    found, findings = replay(engine, config, Window(NOON, now), now)
    assert {name: len(one.alarms) for name, one in found.items()} == alarms
    assert alarms["timed"] >= 2 and alarms["sliding"] >= 1 and alarms["rows"] >= 2 and alarms["against"] >= 2
    stored = engine.rows("SELECT basis, calibration FROM results FINAL WHERE step != 'why'")
    assert {row["basis"] for row in stored} == {"rows", "profiles"}
    assert {row["calibration"] for row in stored} == {"", "calibrated", "uncalibrated"}
    assert findings == of_live(engine, "step != 'why'")
    ran = {row["monitor"]: row["n"] for row in engine.rows("SELECT monitor, count() AS n FROM runs FINAL GROUP BY 1")}
    assert {name: one.windows for name, one in found.items()} == ran
    assert left_behind(engine) == before
    _a_later_part(engine, config, found, now)


def _a_later_part(engine: Engine, config: Config, whole: dict[str, Backtested], now: datetime) -> None:
    """It gives its part of the alarms, at the same times."""
    middle = NOON + 27 * MINUTE
    part = backtested(engine, config, Window(middle, now), now)
    for name, one in whole.items():
        assert [a.time for a in part[name].alarms] == [a.time for a in one.alarms if a.time > middle], name
    assert part["timed"].worst_field == "a"
    assert part["timed"].windows == 4


def test_monitors_that_never_ran_are_replayed_and_only_their_reference_is_added(engine: Engine, config: Config) -> None:
    for minute in range(30):
        traffic(engine, minute)
    found = backtested(engine, config, Window(NOON - timedelta(days=3), NOON + 60 * MINUTE), NOON + 60 * MINUTE)
    assert [one.windows for one in found.values()] == [6, 3, 6, 10, 2]
    assert [len(found[name].alarms) for name in ("timed", "rows")] == [1, 1]
    assert found["timed"].undecided == 1  # its reference was not whole
    per_month = found["timed"].alarms_per_month
    assert per_month == pytest.approx(30 * 24 * 60 / 30)
    counts = {rows[0]["name"]: rows[0]["rows"] for rows in left_behind(engine)}
    assert (counts.pop("references"), counts.pop("reference_versions")) == (2000 + 1500 + 400, 3)
    assert set(counts.values()) == {0}


def test_it_says_why_there_is_nothing_to_go_through(engine: Engine) -> None:
    monitor = "{name: %s, model: %s, reference: {window: 1h}, window: %s, steps: [{name: d, use: ks}]}"
    asked = [("unknown", "mm", "{every: 5m}"), ("many", "m", "{rows: 5000}"), ("long", "m", "{every: 1d, over: 7d}")]
    config = parse("monitors:\n" + "".join(f"  - {monitor % one}\n" for one in asked))
    traffic(engine, 0)
    stretch = Window(NOON - timedelta(days=30), NOON + timedelta(days=1))
    found = backtested(engine, config, stretch, NOON + timedelta(days=1))
    assert found["unknown"].notes == ("no predictions of the model 'mm' are stored; did you mean 'm'?",)
    many, long = found["many"].notes[-1], found["long"].notes[-1]
    assert many.startswith("no 5000 rows were received in that time: 300 predictions are stored, of 2026-11-01T12:00")
    assert long.startswith("a window takes 1w: 300 predictions are stored") and found["long"].windows == 1
    early = Window(NOON - timedelta(days=30), NOON - timedelta(days=20))
    assert backtested(engine, config, early, NOON)["long"].notes[-1].startswith("no window ended")


def test_rows_that_were_filled_in_later_are_gone_through_as_of_their_own_time(engine: Engine, config: Config) -> None:
    for minute in range(20):
        traffic(engine, minute, received=NOON + timedelta(days=90))
    now = NOON + timedelta(days=91)
    timed = backtested(engine, config, Window(NOON, NOON + 60 * MINUTE), now)["timed"]
    assert (timed.windows, timed.undecided, [alarm.time for alarm in timed.alarms]) == (4, 1, [NOON + 20 * MINUTE])
    (note,) = timed.notes
    assert note.startswith("1 of the windows could not be decided: the model has not had all the rows yet")


DAYS = """
auto: false
monitors:
  - name: seasonal
    model: m
    reference: {same: hour_of_day, over: 2d}
    window: {every: 1h, settle: 30s}
    false_alarms: 1/100 windows
    steps: [{name: d, use: ks}]
  - name: whole
    model: m
    reference: {window: 24h}
    window: {every: 1h, settle: 30s}
    false_alarms: 1/100 windows
    steps: [{name: d, use: energy, options: {rows: 100, block_rows: 200}}, {name: o, use: mahalanobis}]
  - name: counted
    model: m
    reference: {window: 1d}
    window: {rows: 150}
    steps: [{name: d, use: ks}]
"""
LATE = """
auto: false
monitors:
  - name: fixed
    model: m
    reference: {first_rows: 1000}
    window: {every: 1h, settle: 30s}
    steps: [{name: d, use: ks}]
"""
HOUR = timedelta(hours=1)


def an_hour(engine: Engine, number: int, rows: int = 100, **columns: Any) -> None:
    """From `number` hours after NOON on; with a season of a day, and shifted in the second hour."""
    chance, season = np.random.default_rng(number + 1000), 2 * np.sin(2 * np.pi * number / 24)
    values = chance.normal(season + (5.0 if number == 1 else 0.0), 1, rows)
    start = NOON + number * HOUR + timedelta(microseconds=number + 1000)  # ids are made of it
    store(engine, {"a": values.tolist()}, start, timedelta(seconds=30), **columns)


def monitored(engine: Engine, config: Config, hours: int) -> datetime:
    """For so many hours after NOON, with three days known before; when it ended."""
    now = NOON
    for number in range(-72, 0):
        an_hour(engine, number)
    runner = Runner(engine, config, Metrics(), lambda model, version: NotImplemented, lambda: now)
    runner.tick()
    for number in range(hours):
        an_hour(engine, number)
        if number == 3:  # of the second hour, too late for its window
            an_hour(engine, 1, 60, time=NOON + 1.5 * HOUR, received=now, version="late")
        now = NOON + (number + 1) * HOUR + timedelta(seconds=40)
        runner.tick()
    runner.close()
    return now


def test_seasons_and_whole_rows_are_gone_through_as_live(engine: Engine) -> None:
    config = parse(DAYS)
    now = monitored(engine, config, 2)
    fired = engine.rows("SELECT DISTINCT monitor, calibration FROM results FINAL WHERE fired ORDER BY monitor")
    calibrated = [("counted", ""), ("seasonal", "calibrated"), ("whole", "calibrated")]
    assert [(row["monitor"], row["calibration"]) for row in fired] == calibrated
    assert replay(engine, config, Window(NOON, now), now)[1] == of_live(engine)


def test_a_window_that_ran_again_for_late_rows_is_gone_through_as_it_was_last(engine: Engine) -> None:
    config = parse(LATE)
    now = monitored(engine, config, 5)
    assert engine.rows("SELECT max(revision) AS newest FROM results") == [{"newest": 1}]
    assert replay(engine, config, Window(NOON, now), now)[1] == of_live(engine)


def test_each_reason_for_windows_without_a_verdict_is_told_with_how_many_there_are(engine: Engine) -> None:
    for number in (-5, -1, 0, 3):
        an_hour(engine, number, rows=1 if number == -5 else 50)
    text = "monitors: [{name: w, model: m, reference: {window: 4h}, window: {every: 1h}, steps: [{name: d, use: ks}]}]"
    config, now = parse(text), NOON + 5 * HOUR
    (found,) = backtested(engine, config, Window(NOON - 4 * HOUR, now), now).values()
    assert found.notes[:2] == (
        "5 of the windows could not be decided: no rows in the window",
        "1 of the windows could not be decided: the reference has 1 rows; at least 2 are needed",
    )


def test_steps_that_could_not_decide_are_named_with_how_often_and_why(engine: Engine) -> None:
    for hour, rows, letters in ((-1, 50, "xyz"), (0, 50, "xyz"), (1, 1, "x"), (2, 1, ""), (3, 50, "xyz")):
        values = np.random.default_rng(hour + 9).normal(size=rows).tolist()
        text = {"c": [letters[n % len(letters)] for n in range(rows)]} if letters else {}
        store(engine, {"a": values, **text}, NOON + hour * HOUR)
    steps = "{name: d, use: ks}, {name: m, use: missing_rate}, {name: two, use: fisher}, {name: p, use: page_hinkley}"
    text = f"monitors: [{{name: w, model: m, reference: {{first_rows: 50}}, window: {{every: 1h}}, steps: [{steps}]}}]"
    now = NOON + 5 * HOUR
    (found,) = backtested(engine, parse(text), Window(NOON, now), now).values()
    assert found.notes == (
        "2 of the windows could not be decided by two: 3 categories; this is for two",
        "2 of the windows could not be decided by d, m: the window has 1 row, fewer than the 2 needed",
        "1 of the windows could not be decided by two: the window has 1 row, fewer than the 2 needed",
    )


def test_the_blocks_of_a_sliding_reference_are_read_once_for_all_its_windows(engine: Engine, asked: list[str]) -> None:
    for number in range(-48, 0):
        an_hour(engine, number, rows=20)
    text = """
    monitors:
      - name: w
        model: m
        reference: {window: 24h}
        window: {every: 1h}
        false_alarms: 1/100 windows
        steps: [{name: d, use: ks}]
    """
    counts = []
    for hours in (1, 9):
        asked.clear()
        (found,) = backtested(engine, parse(text), Window(NOON - hours * HOUR, NOON), NOON + HOUR).values()
        assert found.windows == hours
        counts.append(len(asked))
    assert counts[1] < 2.5 * counts[0]
