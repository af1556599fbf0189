"""From a declared budget to probabilities, to results that say what decided."""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from stored_rows import NOON, store

from core.config import parse
from core.errors import ConfigError
from core.findings import Finding, Window
from core.records import PREDICTIONS
from pipelines.alarms.budget import ALPHA, Allowance, allowances, spacing
from pipelines.monitor import Tools, run_monitor
from pipelines.windows.reference import References
from pipelines.worker import Worker
from storage.engine import Engine
from storage.findings.outcomes import Outcome

HOUR = timedelta(hours=1)


def monitor(**parts: str) -> Any:
    text = f"""
monitors:
  - name: watch
    model: m
    reference: {parts.get("reference", "{window: 2d}")}
    window: {parts.get("window", "{every: 1h}")}
    segments: {parts.get("segments", "[]")}
    steps: [{parts.get("steps", "{name: drift, use: ks}")}]
    {"false_alarms: " + parts["budget"] if "budget" in parts else ""}
"""
    return parse(text).monitors[0]


def run(engine: Engine, watched: Any, window: Window, tools: Tools | None = None) -> Outcome:
    tools = tools or Tools(engine, Worker(), lambda model, version: NotImplemented, lambda: window.end)
    (reference, now) = References(engine, parse("")), window.end + timedelta(minutes=1)
    return run_monitor(tools, watched, window, reference.find(watched, window, now))


def one(outcome: Outcome) -> Finding:
    (finding,) = outcome.findings
    return finding


def hours(engine: Engine, levels: list[float], rows: int = 60, seed: int = 0) -> None:
    """An hour each up to NOON, at each level; a row a second from the full hour on."""
    random = np.random.default_rng(seed)
    starts = [NOON - n * HOUR for n in range(len(levels), 0, -1)]
    times = [start + timedelta(seconds=n) for start in starts for n in range(rows)]
    values = np.repeat(levels, rows) + random.normal(size=len(times))
    columns: dict[str, Any] = {
        "time": times,
        "received": times,
        "id": [str(n) for n in range(len(times))],
        "namespace": ["default"] * len(times),
        "model": ["m"] * len(times),
        "status": [200] * len(times),
        "weight": [1.0] * len(times),
        "inputs_num": [[("a", value)] for value in values.tolist()],
    }
    schema = pa.schema([PREDICTIONS.field(name) for name in columns])
    engine.insert("predictions", pa.table(columns, schema=schema))


@pytest.mark.parametrize(
    ("budget", "every", "alpha"),
    [
        ("1/month", "5m", 1 / 8640),
        ("2/week", "1h", 2 / 168),
        ("1/day", "1h", 1 / 24),
        ("0.5/year", "1d", 0.5 / 365),
        ("1/100 windows", "1h", 0.01),
        ("24/day", "1h", 0.5),
    ],
)
def test_a_budget_is_a_probability_for_each_look(budget: str, every: str, alpha: float) -> None:
    watched = monitor(budget=budget, window=f"{{every: {every}}}")
    assert allowances(watched, watched.window.every) == {"drift": Allowance(pytest.approx(alpha), True)}


def test_steps_share_the_budget_and_may_take_a_part_of_their_own() -> None:
    steps = (
        "{name: a, use: ks, false_alarms: 1/week}, {name: b, use: psi}, {name: c, use: mahalanobis},"
        " {name: why, use: shapley, after: a.fired}"
    )
    shared = allowances(monitor(budget="3/week", steps=steps), HOUR)
    assert {name: round(allowed.alpha * 168, 9) for name, allowed in shared.items()} == {"a": 1, "b": 1, "c": 1}
    alone = allowances(monitor(steps=steps), HOUR)
    assert list(alone) == ["a"] and Allowance() == (ALPHA, False)


def test_streams_take_no_part_of_the_budget_and_still_say_that_one_was_declared() -> None:
    steps = "{name: a, use: ks}, {name: s, use: cusum}, {name: t, use: adwin}"
    shared = allowances(monitor(budget="1/100 windows", steps=steps), HOUR)
    assert shared == {"a": Allowance(0.01, True), "s": Allowance(ALPHA, True), "t": Allowance(ALPHA, True)}


def test_steps_that_take_more_than_the_budget_are_refused() -> None:
    with pytest.raises(ConfigError, match="its steps take more than its 1/month false alarms"):
        monitor(budget="1/month", steps="{name: a, use: ks, false_alarms: 1/week}")
    with pytest.raises(ConfigError, match="by time or by windows"):
        monitor(budget="1/9 windows", window="{rows: 10}", steps="{name: a, use: ks, false_alarms: 1/year}")


def test_windows_of_rows_are_as_far_apart_as_rows_come(engine: Engine) -> None:
    store(engine, {"a": [0.0] * 601}, NOON)  # one a second
    watched = monitor(budget="1/hour", window="{rows: 60}")
    window = Window(NOON + timedelta(seconds=500), NOON + timedelta(seconds=600))
    apart = spacing(engine, watched, window)
    assert apart.total_seconds() == pytest.approx(60, rel=0.01)
    assert allowances(watched, apart)["drift"].alpha == pytest.approx(1 / 60, rel=0.01)


def test_what_differs_no_more_than_the_references_own_hours_do_is_no_alarm(engine: Engine) -> None:
    levels = np.random.default_rng(3).normal(0, 0.8, 48).tolist()
    hours(engine, levels)
    usual = {"a": (1.2 + np.random.default_rng(1).normal(size=60)).tolist()}
    store(engine, usual, NOON, version="")
    window = Window(NOON, NOON + HOUR)
    without, within = (one(run(engine, monitor(**b), window)) for b in ({}, {"budget": "1/100 windows"}))
    assert without.score.fired and (without.calibration, without.alpha) == ("", 0.05)
    assert not within.score.fired and (within.calibration, within.alpha) == ("calibrated", 0.01)
    assert within.score.score == without.score.score and within.score.p_value == without.score.p_value < 0.01
    assert within.score.reason.startswith("beyond chance, but the reference's own blocks differ as much; mean up by")


def test_what_differs_more_is_and_says_by_how_much(engine: Engine) -> None:
    hours(engine, [0.0] * 48)
    store(engine, {"a": (1.5 + np.random.default_rng(1).normal(size=60)).tolist()}, NOON, version="")
    found = one(run(engine, monitor(budget="1/month"), Window(NOON, NOON + HOUR)))
    assert found.score.fired and found.calibration == "calibrated" and found.rank == 1
    assert found.score.reason.startswith(f"{found.score.score:.3g} > {found.score.threshold:.3g}; mean up by 1.")


@pytest.mark.parametrize("use", ["ks", "energy", "mahalanobis"])
@pytest.mark.parametrize(
    ("reference", "lacks"),
    [
        ("{window: 6h}", "uncalibrated: the reference has 6 blocks of 1h, 20 are needed"),
        ("{first_rows: 300}", "uncalibrated: the reference has 4 blocks of 1h, 20 are needed"),
    ],
)
def test_without_enough_history_the_law_decides_and_the_result_says_so(
    engine: Engine, reference: str, lacks: str, use: str
) -> None:
    hours(engine, [0.0] * 48)
    store(engine, {"a": np.random.default_rng(1).normal(size=60).tolist()}, NOON, version="")
    watched = monitor(budget="1/month", reference=reference, steps=f"{{name: drift, use: {use}}}")
    found = one(run(engine, watched, Window(NOON, NOON + HOUR)))
    assert found.calibration == "uncalibrated" and found.alpha == pytest.approx(1 / 720)
    assert found.score.reason.startswith("not beyond chance") and lacks in found.score.reason


def test_a_data_set_has_no_order_in_time(engine: Engine, tmp_path: Any) -> None:
    (tmp_path / "train.csv").write_text("a\n" + "\n".join(map(str, np.random.default_rng(0).normal(size=99))))
    store(engine, {"a": np.random.default_rng(1).normal(size=60).tolist()}, NOON)
    watched = monitor(budget="1/month", reference=f"{{dataset: '{tmp_path / 'train.csv'}'}}")
    found = one(run(engine, watched, Window(NOON, NOON + HOUR)))
    assert found.score.reason.endswith("uncalibrated: the reference has no order in time")


def test_a_season_is_compared_with_itself_and_calibrated_on_all_of_them(engine: Engine) -> None:
    day = [3 * np.sin(2 * np.pi * hour / 24) for hour in range(24)]  # noon is hour 0
    hours(engine, day * 4, rows=40)
    store(engine, {"a": np.random.default_rng(1).normal(size=40).tolist()}, NOON, version="")
    watched = monitor(budget="1/100 windows", reference="{same: hour_of_day, over: 3d}")
    found = one(run(engine, watched, Window(NOON, NOON + HOUR)))
    assert (found.calibration, found.reference_rows, found.score.fired) == ("calibrated", 120, False)
    assert abs(found.score.effect) < 0.5  # type: ignore[arg-type]  # of this hour's deviation, not of the day's
    assert found.score.threshold < 0.5  # type: ignore[operator]  # hours of other seasons would make it 1


def test_the_blocks_of_first_rows_are_windows_of_rows_while_they_are_stored(engine: Engine) -> None:
    store(engine, {"a": np.random.default_rng(0).normal(size=1000).tolist()}, NOON)
    watched = monitor(budget="1/100 windows", reference="{first_rows: 900}", window="{rows: 40}")
    window = Window(NOON + timedelta(seconds=940), NOON + timedelta(seconds=1000))
    assert one(run(engine, watched, window)).calibration == "calibrated"
    engine.command("DELETE FROM predictions WHERE time < toDateTime64('2026-11-01 12:01:00', 6, 'UTC')")
    reference = References(engine, parse(""))
    found = reference.find(watched, window, NOON + HOUR)
    assert found is None or list(found.history.cut()) == []


def test_fields_that_explain_an_alarm_are_ranked_over_segments(engine: Engine) -> None:
    random = np.random.default_rng(0)
    for start, shift in ((NOON - HOUR, 0.0), (NOON, 1.0)):
        for n, (country, times) in enumerate((("DE", 1.0), ("FR", 3.0))):
            rows = {"a": random.normal(shift * times, 1, 300), "b": random.normal(size=300)}
            at = start + timedelta(microseconds=n)
            store(engine, {k: v.tolist() for k, v in rows.items()}, at, tags=[("country", country)], version="")
    watched = monitor(budget="1/month", reference="{window: 1h}", segments="[tags.country]")
    ranks = {
        (f.field, f.segment): f.rank for f in run(engine, watched, Window(NOON, NOON + HOUR)).findings if f.score.fired
    }
    assert ranks == {("a", ""): 1, ("a", "country=FR"): 2, ("a", "country=DE"): 3}  # all rows have most evidence
