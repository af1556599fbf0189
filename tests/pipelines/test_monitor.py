import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from stored_rows import NOON, store

from core.config import Config, StepConfig, parse
from core.distribution import Distribution, Kind
from core.findings import Finding, Score, Window
from core.protocols import Predict
from core.records import ModelKey
from pipelines.monitor import Tools, run_monitor
from pipelines.steps.modules import module
from pipelines.windows.reference import References
from pipelines.worker import Worker
from storage.engine import Engine
from storage.findings import results
from storage.findings.outcomes import Outcome, save
from storage.findings.results import ResultFilter

HOUR = Window(NOON, NOON + timedelta(hours=1))
BEFORE = NOON - timedelta(hours=1)
KS = "{name: drift, use: ks}"


def config(*steps: str, **parts: str) -> Config:
    return parse(
        f"""
monitors:
  - name: watch
    model: m
    reference: {parts.get("reference", "{window: 1h}")}
    window: {{every: 1h}}
    segments: {parts.get("segments", "[]")}
    steps: [{", ".join(steps or (KS,))}]
"""
    )


def linear(model: ModelKey, version: str) -> Predict:
    return lambda rows, fields: {"p": rows @ np.arange(1.0, len(fields) + 1)}


def run(engine: Engine, config: Config, /, **changes: Any) -> Outcome:
    (monitor,) = config.monitors
    window = changes.pop("window", HOUR)
    tools = Tools(engine, changes.pop("worker", Worker()), linear, lambda: NOON, **changes)
    try:
        return run_monitor(tools, monitor, window, References(engine, config).find(monitor, window, NOON))
    finally:
        tools.worker.stop()


def by_field(outcome: Outcome) -> dict[str, Finding]:
    return {f.field: f for f in outcome.findings}


def numbers(mean: float, rows: int = 300, seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).normal(mean, 1, rows).tolist()  # type: ignore[no-any-return]


def test_a_shift_is_found_and_its_absence_is_not(engine: Engine) -> None:
    store(engine, {"a": numbers(0), "b": numbers(5), "c": ["x", "y", "y"] * 100}, BEFORE)
    store(engine, {"a": numbers(2, seed=1), "b": numbers(5, seed=2), "c": ["x", "x", "y"] * 100})
    found = by_field(run(engine, config(KS, "{name: mix, use: chi_squared}")))
    assert {name: f.score.fired for name, f in found.items()} == {"a": True, "b": False, "c": True}
    assert (found["a"].step, found["c"].step) == ("drift", "mix")
    assert (found["a"].reference_rows, found["a"].window_rows, found["a"].window) == (300, 300, HOUR)


def test_alpha_is_shared_out_over_the_fields(engine: Engine) -> None:
    alphas: list[float] = []

    @dataclass(frozen=True)
    class Spy:
        kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
        heavy: ClassVar[bool] = False

        def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
            alphas.append(alpha)
            return Score(0.0, 1.0)

    for start in (BEFORE, NOON):
        store(engine, {"a": numbers(0), "b": numbers(0), "c": ["x"] * 300, "outputs.p": numbers(0)}, start)
    run(engine, config(), modules=lambda step: Spy())
    assert alphas == pytest.approx([0.05 / 3] * 3)


def test_the_same_run_twice_leaves_identical_rows_once(engine: Engine) -> None:
    store(engine, {"a": numbers(0), "b": numbers(0)}, BEFORE)
    store(engine, {"a": numbers(1), "b": numbers(0)})
    plan = config(KS, "{name: out, use: mahalanobis}")
    save(engine, run(engine, plan))
    tables = ("results", "scores", "runs")
    first = results.page(engine, ResultFilter())["results"]
    counts = [engine.rows(f"SELECT count() AS n FROM {table} FINAL") for table in tables]
    save(engine, run(engine, plan))
    assert results.page(engine, ResultFilter())["results"] == first and len(first) == 3
    assert [engine.rows(f"SELECT count() AS n FROM {table} FINAL") for table in tables] == counts


def test_versions_are_compared_one_by_one_with_the_whole_reference(engine: Engine) -> None:
    store(engine, {"a": numbers(0)}, BEFORE, version="1")
    store(engine, {"a": numbers(0, seed=1)}, version="1")
    store(engine, {"a": numbers(3, seed=2)}, version="2")
    found = {f.version: f for f in run(engine, config()).findings}
    assert {v: (f.score.fired, f.reference_rows) for v, f in found.items()} == {"1": (False, 300), "2": (True, 300)}


def test_segments_are_compared_with_themselves(engine: Engine) -> None:
    for start, german in ((BEFORE, 0.0), (NOON, 3.0)):
        store(engine, {"a": numbers(german)}, start, tags=[("country", "DE")], version="")
        store(engine, {"a": numbers(10)}, start + timedelta(microseconds=1), tags=[("country", "FR")], version="")
    store(engine, {"a": numbers(0)}, NOON + timedelta(microseconds=2), tags=[("country", "IT")], version="")
    found = {f.segment: f for f in run(engine, config(segments="[tags.country]")).findings}
    assert {s: f.score.fired for s, f in found.items()} == {
        "": True, "country=DE": True, "country=FR": False, "country=IT": False,
    }  # fmt: skip
    assert found["country=FR"].window_rows == 300
    assert found["country=IT"].score == Score(None, None, reason="the reference has no rows of country=IT")


def test_fields_of_one_side_only_are_schema_findings_that_never_fire(engine: Engine) -> None:
    store(engine, {"a": numbers(0), "old": numbers(0), "turned": numbers(0)}, BEFORE)
    store(engine, {"a": numbers(0), "new": numbers(0), "turned": ["x"] * 300})
    outcome = run(engine, config())
    schema = {f.field: f for f in outcome.findings if f.kind == "schema"}
    assert {name: f.score.reason for name, f in schema.items()} == {
        "old": "in the reference, but no row of the window has a value",
        "new": "not in the reference",
        "turned": "the window holds categories, the reference numbers",
    }
    assert not any(f.score.fired or f.score.score is not None for f in schema.values())
    assert [f.field for f in outcome.findings if f.kind == "drift"] == ["a"]


MISSING = "{name: missing, use: missing_rate}"


def missing(outcome: Outcome) -> dict[str, Score]:
    return {f.field: f.score for f in outcome.findings if f.step == "missing"}


def test_a_field_that_no_row_has_is_missing_in_each_that_was_answered(engine: Engine) -> None:
    store(engine, {"a": numbers(0), "text": ["x"] * 300, "outputs.p": numbers(0), "stays": numbers(0)}, BEFORE)
    store(engine, {"stays": numbers(0)})
    found = missing(run(engine, config(KS, MISSING)))
    assert {name: (score.score, score.fired) for name, score in found.items()} == {
        "a": (1.0, True), "text": (1.0, True), "p": (1.0, True), "stays": (0.0, False),
    }  # fmt: skip
    assert found == missing(run(engine, config(MISSING), most_cells=700))
    store(engine, {"stays": numbers(0)}, NOON + timedelta(hours=1), status=500)
    failed = Window(HOUR.end, HOUR.end + timedelta(hours=1))
    assert set(missing(run(engine, config(MISSING, reference="{window: 2h}"), window=failed))) == {"stays"}


def test_a_field_that_is_often_gone_is_usual(engine: Engine) -> None:
    for hour in range(48):
        now_and_then = {"b": numbers(0, 60, hour)} if hour % 4 else {}
        store(engine, {"a": numbers(0, 60, hour), **now_and_then}, NOON - timedelta(hours=48 - hour))
    store(engine, {"a": numbers(0, 60)})
    found = missing(run(engine, config(MISSING, reference="{window: 48h}\n    false_alarms: 1/10 windows")))["b"]
    assert (found.score, found.fired) == (pytest.approx(0.75), False)
    assert "own blocks differ as much" in found.reason


def test_a_column_of_a_data_set_that_no_row_has_is_missing_only_when_it_is_declared(
    engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "train.csv").write_text("a,target\n" + "\n".join(f"{x},1" for x in numbers(0)))
    store(engine, {"a": numbers(0)})
    plain = config(MISSING, reference=f"{{dataset: '{tmp_path / 'train.csv'}'}}")
    declared = plain.model_copy(update={"models": parse("models: {m: {fields: {target: {kind: num}}}}").models})
    assert {name: score.fired for name, score in missing(run(engine, plain, config=plain)).items()} == {"a": False}
    found = missing(run(engine, declared, config=declared))
    assert {name: score.fired for name, score in found.items()} == {"a": False, "target": True}


def test_an_empty_window_or_reference_says_so_without_an_alarm(engine: Engine) -> None:
    store(engine, {"a": numbers(0)}, BEFORE)
    (finding,) = run(engine, config()).findings
    assert finding.score == Score(None, None, reason="no rows in the window")
    store(engine, {"a": numbers(0)})
    (finding,) = run(engine, config(reference="{window: 1h, offset: 30d}")).findings
    assert finding.score.reason == "the reference has 0 rows; at least 2 are needed"
    (finding,) = run(engine, config(reference="{first_rows: 9999}")).findings
    assert "has not had all the rows yet" in finding.score.reason


def test_constant_and_missing_fields_are_no_alarm(engine: Engine) -> None:
    store(engine, {"same": [1.0] * 300, "gone": [None] * 299 + [1.0]}, BEFORE)
    store(engine, {"same": [1.0] * 300, "gone": [None] * 299 + [1.0]})
    outcome = run(engine, config(KS, "{name: out, use: mahalanobis}", "{name: forest, use: isolation_forest}"))
    assert outcome.run.status == "done" and outcome.findings
    assert not any(f.score.fired for f in outcome.findings)


@dataclass(frozen=True)
class Aborting:
    kinds: ClassVar[frozenset[Kind]] = frozenset({"num"})
    heavy: ClassVar[bool] = True

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        os.abort()


def test_a_step_that_aborts_fails_the_run_with_its_reason_and_nothing_more(engine: Engine) -> None:
    for start in (BEFORE, NOON):
        store(engine, {"a": numbers(0)}, start)

    def modules(step: StepConfig) -> Any:
        return Aborting() if step.name == "crash" else module(step)

    outcome = run(engine, config("{name: crash, use: ks}", KS), modules=modules)
    assert (outcome.run.status, outcome.run.reason) == ("failed", "crash: its process died: SIGABRT")
    assert [(f.step, f.field) for f in outcome.findings] == [("drift", "a")]


def test_a_step_that_raises_fails_the_run_only(engine: Engine) -> None:
    for start in (BEFORE, NOON):
        store(engine, {"a": numbers(0)}, start)
    outcome = run(engine, config(KS), modules=lambda step: 1 / 0)
    assert (outcome.run.status, outcome.run.reason) == ("failed", "drift: ZeroDivisionError: division by zero")
    outcome = run(engine, config(KS, "{name: why, use: shapley}"))
    assert outcome.run.reason == "why: the model has no numeric output 'None'; it has: none"
    assert [f.step for f in outcome.findings] == ["drift"]


def test_outlying_rows_are_scored_and_the_worst_are_explained(engine: Engine) -> None:
    store(engine, {"a": numbers(0), "b": numbers(0, seed=1), "outputs.p": numbers(0)}, BEFORE)
    shifted = [9.0 + n for n in range(40)] + numbers(0, 260, seed=2)
    store(engine, {"a": shifted, "b": numbers(0, seed=3), "outputs.p": [0.0] * 300})
    steps = "{name: out, use: isolation_forest}", "{name: why, use: shapley, after: out.fired, rows: 3}"
    outcome = run(engine, config(*steps))
    assert outcome.run.reason == ""
    (verdict,) = (f for f in outcome.findings if f.step == "out")
    assert (verdict.kind, verdict.field, verdict.score.fired) == ("outlier", "", True)
    assert len(outcome.scores) == 300 and sum(s.score > s.threshold for s in outcome.scores) >= 5
    worst = sorted(outcome.scores, key=lambda s: (-s.score, s.id))[:3]
    assert {e.id for e in outcome.explanations} == {s.id for s in worst}
    for explained in outcome.explanations:
        assert set(explained.values) == {"a", "b"} and explained.output == "p"
        assert sum(explained.values.values()) == pytest.approx(explained.prediction - explained.baseline)
        assert explained.values["a"] > abs(explained.values["b"])


def test_a_step_after_one_that_did_not_fire_does_not_run(engine: Engine) -> None:
    for start in (BEFORE, NOON):
        store(engine, {"a": numbers(0), "outputs.p": numbers(0)}, start)
    outcome = run(engine, config(KS, "{name: why, use: shapley, after: drift.fired}"))
    assert outcome.run.status == "done" and not outcome.explanations


def test_a_data_set_is_loaded_when_first_needed_and_again_when_it_changed(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text("a\n" + "\n".join(map(str, numbers(0))))
    store(engine, {"a": numbers(0)})
    plan = config(reference=f"{{dataset: '{file}'}}")
    (monitor,), references = plan.monitors, References(engine, plan)
    first = references.find(monitor, HOUR, NOON)
    assert references.find(monitor, HOUR, NOON) == first
    assert not run(engine, plan).findings[0].score.fired
    file.write_text("a\n" + "\n".join(map(str, numbers(5))))
    os.utime(file, (0, 0))
    assert references.find(monitor, HOUR, NOON) != first
    assert run(engine, plan).findings[0].score.fired


def test_steps_of_a_run_read_the_blocks_of_the_reference_once(engine: Engine, asked: list[str]) -> None:
    for hour in range(30):
        store(engine, {"x": numbers(0, 20, hour)}, NOON - timedelta(hours=29 - hour))
    parts = {"reference": "{window: 24h}\n    false_alarms: 1/week"}
    counts = []
    for steps in ([KS], [KS, KS.replace("drift", "again"), "{name: area, use: wasserstein}"]):
        asked.clear()
        found = run(engine, config(*steps, **parts)).findings
        counts.append(len(asked))
        assert {f.calibration for f in found if f.kind != "schema"} == {"calibrated"}
    assert 24 * 2 < counts[0] == counts[1]


def test_the_run_says_what_it_was_made_of(engine: Engine) -> None:
    for start in (BEFORE, NOON):
        store(engine, {"a": numbers(0)}, start)
    made = run(engine, config()).run
    assert set(made.versions) == {"python", "tidemark", "numpy"} and made.rows == 300
    assert made.reference == "default/m 2026-11-01T11:00:00.000000Z to 2026-11-01T12:00:00.000000Z"
    assert made.id == run(engine, config()).run.id != run(engine, config("{name: drift, use: psi}")).run.id


def test_too_many_cells_are_read_some_fields_at_a_time(engine: Engine) -> None:
    for start, mean in ((BEFORE, 0.0), (NOON, 1.0)):
        fields = {f"f{n}": numbers(mean) for n in range(5)}
        store(engine, {**fields, "outputs.f1": numbers(mean), ("old" if mean else "new"): numbers(0)}, start)
    whole = run(engine, config())
    assert run(engine, config(), most_cells=700).findings == whole.findings
    assert {f.field for f in whole.findings} == {*fields, "outputs.f1", "old", "new"}


def test_values_are_held_against_what_is_declared_and_else_against_the_reference(engine: Engine) -> None:
    many = numbers(0)
    store(engine, {"a": many, "b": many, "c": ["x", "y", "y"] * 100, "d": many, "e": many}, BEFORE)
    late = {"a": [*numbers(0, 299, 1), 40.0], "b": numbers(0, seed=2), "c": ["x", "y", "z"] * 100}
    store(engine, {**late, "d": [*many[:250], *["n/a"] * 50], "e": [*many[:200], *[None] * 100]})
    steps = ("range_violations", "type_violations", "unseen_categories", "missing_rate")
    plan = config(*(f"{{name: {step}, use: {step}}}" for step in steps))
    declared = parse("models: {m: {fields: {a: {range: [-9, 9]}, b: {range: [-9, 50]}, d: {kind: num}}}}")
    (undeclared, by_contract) = (run(engine, plan, config=given).findings for given in (Config(), declared))
    fired = {(f.step, f.field) for f in by_contract if f.score.fired}
    assert fired == {
        ("range_violations", "a"),
        ("type_violations", "d"),
        ("unseen_categories", "c"),
        ("missing_rate", "d"),
        ("missing_rate", "e"),
    }
    assert {(f.step, f.field) for f in undeclared if f.score.fired} == fired - {("range_violations", "a")}
    p_values = {(f.step, f.field): f.score.p_value for f in by_contract}
    assert p_values["range_violations", "a"] == p_values["type_violations", "d"] == 0
    assert [f.field for f in by_contract if f.step == "type_violations"] == ["a", "b", "c", "d", "e"]
    assert {f.run for f in undeclared}.isdisjoint(f.run for f in by_contract)
