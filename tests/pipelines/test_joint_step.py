"""Joint detectors end to end: predictions in the store, a monitor over them, its findings in the results."""

from typing import Any

import numpy as np
import pytest
from stored_rows import NOON, store
from test_runner import MINUTE, Process

from core.config import Config, parse
from core.errors import ConfigError
from pipelines.steps.modules import module
from storage.engine import Engine
from storage.findings import results
from storage.findings.results import ResultFilter


def config(step: str, reference: str = "{first_rows: 600}") -> Config:
    return parse(
        f"""
auto: false
monitors:
  - {{name: drift, model: m, reference: {reference}, window: {{every: 10m}}, steps: [{{name: joint, {step}}}]}}
"""
    )


def pairs(rows: int, correlation: float, seed: int) -> dict[str, list[float]]:
    """Fields a and b that go together, c that does not; each is normal by itself."""
    a, b, c = np.random.default_rng(seed).normal(size=(3, rows))
    b = correlation * a + (1 - correlation**2) ** 0.5 * b
    return {"a": a.tolist(), "b": (300 + 3 * b).tolist(), "c": c.tolist()}


def found(engine: Engine) -> list[dict[str, Any]]:
    """Results of the step, the oldest window first."""
    page = results.page(engine, ResultFilter(monitor="drift", step="joint"))["results"]
    return sorted(page, key=lambda row: (row["window_end"], row["field"]))


def test_a_change_between_fields_is_found_over_a_restart_and_told_by_field(engine: Engine) -> None:
    plan = config("use: mmd")
    Process(engine, plan).tick(NOON)
    store(engine, pairs(600, 0.8, 1))
    store(engine, pairs(600, 0.8, 2), NOON + 10 * MINUTE)
    Process(engine, plan).tick(NOON + 21 * MINUTE)
    store(engine, pairs(600, 0.0, 3), NOON + 20 * MINUTE)
    Process(engine, plan).tick(NOON + 31 * MINUTE)
    rows = found(engine)
    assert [row["fired"] for row in rows] == [False, False, True]
    assert [(row["reference_rows"], row["window_rows"], row["field"]) for row in rows] == [(600, 600, "")] * 3
    _, told, apart = rows[2]["reason"].partition("; told apart by: ")
    assert told and {word[0] for word in apart.split(", ")[:2]} == {"a", "b"}
    assert rows[2]["p_value"] < 1e-4 and rows[2]["alpha"] == 0.05


def test_vectors_are_compared_and_a_data_set_has_none(engine: Engine) -> None:
    random, use = np.random.default_rng(0), "use: sliced_wasserstein, options: {field: embedding}"
    process = Process(engine, config(use, "{window: 10m}"))
    process.tick(NOON)
    for at, shift in enumerate((0.0, 0.0, 0.3, 0.0)):
        vectors = (random.normal(size=(300, 16)) + shift).tolist()
        store(engine, {"a": [0.0] * 300, "embedding": vectors}, NOON + (at - 1) * 10 * MINUTE)
    process.tick(NOON + 21 * MINUTE)
    assert [(row["fired"], row["window_rows"]) for row in found(engine)] == [(False, 300), (True, 300)]
    (run,) = Process(engine, config(use)).tick(NOON + 31 * MINUTE)
    assert run.reason == "joint: a data set has no vectors: use a reference such as {window: 7d}"


def test_a_detector_that_needs_a_library_runs_in_the_worker(engine: Engine) -> None:
    store(engine, pairs(300, 0.0, 1))
    store(engine, {"a": [9.0] * 300, **{k: v for k, v in pairs(300, 0.0, 2).items() if k != "a"}}, NOON + 10 * MINUTE)
    process = Process(engine, config("use: domain_classifier", "{window: 10m}"))
    process.tick(NOON + 5 * MINUTE)
    process.tick(NOON + 21 * MINUTE)
    process.runner.close()
    assert [row["fired"] for row in found(engine)] == [False, True]
    assert found(engine)[1]["reason"].endswith("told apart by: a 1.00")


def test_the_steps_own_options_are_checked_like_the_detectors() -> None:
    for step in ("use: mmd, options: {field: 3}", "use: cusum, options: {fields: a}", "use: ddm, options: {cutoff: x}"):
        (monitor,) = config(step).monitors
        with pytest.raises(ConfigError, match=r"option '[fc]"):
            module(monitor.steps[0])
