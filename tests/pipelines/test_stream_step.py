"""Sequential detectors end to end: what they remember survives restarts, and a window that comes again is the same."""

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from stored_rows import NOON, store
from test_joint_step import config as joint_config
from test_runner import MINUTE, Process, config

from core.findings import Window
from core.records import TIME, ModelKey
from detectors import make
from pipelines.backtest import Backtest
from storage.engine import Engine
from storage.findings.past import Extent, extent

CUSUM = "cusum, options: {h: 8.0}"


def states(engine: Engine) -> list[dict[str, Any]]:
    return engine.rows("SELECT version, field, window_end, state FROM detector_states FINAL ORDER BY window_end, field")


def highest(engine: Engine, field: str = "a") -> list[float | None]:
    rows = engine.rows("SELECT score FROM results FINAL WHERE field = {f:String} ORDER BY window_end", {"f": field})
    return [row["score"] for row in rows]


def watched(engine: Engine, restarts: bool, window: str = "{every: 10m, settle: 30s}") -> None:
    """Two quiet windows, then a shift small enough to take more than one window to be seen."""
    plan = config(window, step=CUSUM)
    process = Process(engine, plan)
    process.tick(NOON)
    random = np.random.default_rng(5)
    for at, mean in enumerate((0.0, 0.0, 0.52, 0.52, 0.0)):
        start = NOON + at * 10 * MINUTE
        store(engine, {"a": random.normal(mean, 1, 600).tolist(), "b": [1.0] * 600}, start)
        process = Process(engine, plan) if restarts else process
        process.tick(start + 11 * MINUTE)


@pytest.mark.parametrize("window", ["{rows: 500}", "{every: 10m, over: 25m}"])
def test_windows_with_restarts_between_them_give_what_the_whole_stream_does(engine: Engine, window: str) -> None:
    watched(engine, restarts=True, window=window)
    kept = engine.rows("SELECT inputs_num['a'] AS a FROM predictions FINAL ORDER BY time, id")
    values = np.array([row["a"] for row in kept])
    fed = states(engine)
    rows = engine.rows("SELECT sum(window_rows) AS n FROM results FINAL WHERE field = 'a'")[0]["n"]
    first = 100 if "rows" in window else 0  # the reference's rows come before the first window
    begun = json.loads(next(row["state"] for row in fed if row["field"] == "a"))
    assert (begun["mean"], begun["deviation"]) == pytest.approx((values[:100].mean(), values[:100].std()))
    whole = make("cusum", {"h": 8.0}).update({**begun, "above": 0.0, "below": 0.0}, values[first : first + rows])
    scores = [score for score in highest(engine) if score is not None]
    assert max(scores) == whole.scores.max()
    assert f'"above": {whole.state["above"]!r}' in [row["state"] for row in fed if row["field"] == "a"][-1]


def test_a_window_that_comes_again_begins_where_it_began_before(engine: Engine) -> None:
    watched(engine, restarts=False)
    before, remembered = highest(engine), states(engine)
    last = "(SELECT max(window_end) FROM runs)"
    engine.command(f"DELETE FROM runs WHERE window_end = {last}")
    Process(engine, config(step=CUSUM)).tick(NOON + 51 * MINUTE)
    assert highest(engine) == before and states(engine) == remembered


def test_other_options_begin_anew_and_a_constant_field_is_quiet(engine: Engine) -> None:
    watched(engine, restarts=False)
    assert {row["fired"] for row in found_of(engine, "b")} == {0}
    Process(engine, config(step="cusum, options: {h: 9.0}")).tick(NOON + 50 * MINUTE)
    store(engine, {"a": [0.0] * 600, "b": [1.5] * 600}, NOON + 50 * MINUTE)
    Process(engine, config(step="cusum, options: {h: 9.0}")).tick(NOON + 61 * MINUTE)
    newest = found_of(engine, "b")[-1]
    assert newest["fired"] and newest["reason"] == "600 alarm(s), the first at 2026-11-01T12:50:00.000000Z"


def found_of(engine: Engine, field: str) -> list[dict[str, Any]]:
    sql = "SELECT fired, reason, score, window_rows FROM results FINAL WHERE field = {f:String} ORDER BY window_end"
    return engine.rows(sql, {"f": field})


def test_errors_are_fed_when_their_labels_come_however_late_or_early(engine: Engine) -> None:
    plan = joint_config("use: ddm, options: {output: class, label: truth}", "{window: 10m}")
    process = Process(engine, plan)
    process.tick(NOON)
    answers = ["yes" if n % 2 else "no" for n in range(600)]
    for at in range(-1, 4):
        store(engine, {"outputs.class": answers}, NOON + at * 10 * MINUTE)
    for at, (rate, late) in enumerate(((10, 0), (10, 12), (2, 12), (10, -3))):
        made = NOON + at * 10 * MINUTE
        truth = [a if n % rate else "maybe" for n, a in enumerate(answers)]
        label(engine, [f"{made:%H%M%S%f}-{n:06}-" for n in range(600)], truth, made + late * MINUTE)
    label(engine, [f"{NOON:%H%M%S%f}-000001-"], ["maybe"], NOON + 25 * MINUTE)  # a correction is not fed again
    for end in (11, 21, 31, 41):
        process = Process(engine, plan)
        process.tick(NOON + end * MINUTE)
    rows = found_of(engine, "class")
    assert [(row["window_rows"], row["fired"]) for row in rows] == [(600, 0), (0, 0), (480, 0), (1200, 1)]
    assert rows[1]["reason"] == "no new values" and rows[3]["reason"].startswith(
        "1 alarm(s), the first at 2026-11-01T12:3"
    )


def label(engine: Engine, ids: list[str], values: list[str], received: datetime) -> None:
    """One a second from `received` on."""
    times = pa.array([received + timedelta(seconds=n) for n in range(len(ids))], TIME)
    same = {"namespace": "default", "model": "m", "name": "truth", "source": ""}
    columns = {name: [value] * len(ids) for name, value in same.items()}
    numbers = pa.array([None] * len(ids), pa.float64())
    engine.insert(
        "labels", pa.table({**columns, "id": ids, "value": values, "num": numbers, "time": times, "received": times})
    )


def test_numeric_outputs_are_cut_and_compared(engine: Engine) -> None:
    plan = joint_config("use: ddm, options: {output: p, label: truth, cutoff: 0.7}", "{window: 10m}")
    process = Process(engine, plan)
    process.tick(NOON)
    store(engine, {"outputs.p": [0.6, 0.8] * 300})
    columns = {"name": ["truth"] * 600, "value": ["1"] * 600, "num": [1.0] * 600, "namespace": ["default"] * 600}
    times = pa.array([NOON + timedelta(seconds=n) for n in range(600)], TIME)
    ids = [f"{NOON:%H%M%S%f}-{n:06}-" for n in range(600)]
    engine.insert("labels", pa.table({**columns, "id": ids, "time": times, "received": times}))
    store(engine, {"outputs.p": [0.6] * 10}, NOON - MINUTE)
    process.tick(NOON + 11 * MINUTE)
    (row,) = engine.rows("SELECT state FROM detector_states FINAL")
    state = json.loads(row["state"])
    assert state["n"] == 600 and state["p"] == pytest.approx(0.5)


def test_a_backtest_remembers_from_window_to_window_and_leaves_no_trace(engine: Engine) -> None:
    watched(engine, restarts=False)
    live, kept = highest(engine), states(engine)
    engine.command("TRUNCATE TABLE detector_states")
    plan = config(step=CUSUM)
    tested = Backtest(engine, plan, NOON + 60 * MINUTE)
    outcomes = tested.outcomes(plan.monitors[0], Window(NOON, NOON + 50 * MINUTE), held_by(engine))
    found = [f.score.score for outcome in outcomes for f in outcome.findings if f.field == "a"]
    tested.close()
    assert [score for score in found if score is not None] == live and states(engine) == []
    assert len(kept) == 10


def held_by(engine: Engine) -> Extent:
    held = extent(engine, ModelKey("default", "m"))
    assert held
    return held
