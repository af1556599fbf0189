"""Steps that look at whole rows under a budget: what is usual among the reference's own blocks is no alarm."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from stored_rows import NOON, store
from test_budget import HOUR, hours, monitor, one, run

from core.config import Config, MonitorConfig
from core.findings import Score, Window
from detectors import LAW_AT
from pipelines.alarms.calibration import Calibration
from pipelines.alarms.history import Block, Stretch
from pipelines.alarms.whole_rows import Judged, decide, evidence, of_blocks
from pipelines.monitor import Tools, run_monitor
from pipelines.windows.basis import Basis
from pipelines.windows.reference import References
from pipelines.worker import Worker
from storage.engine import Engine
from storage.windows.cache import Reader
from storage.windows.relations import Relation
from storage.windows.rows import Matrix

WINDOW = Window(NOON, NOON + HOUR)
STEPS = [
    "mmd",
    "energy",
    "sliced_wasserstein, options: {permutations: 100, directions: 5}",
    "domain_classifier, options: {trees: 5, leaves: 4}",
    "mahalanobis, options: {contamination: 0.1}",
    "isolation_forest, options: {contamination: 0.1, trees: 20}",
]


@pytest.fixture
def tools(engine: Engine) -> Iterator[Tools]:
    worker = Worker()
    yield Tools(engine, worker, lambda model, version: NotImplemented, lambda: WINDOW.end)
    worker.stop()


def watched(use: str, reference: str = "{window: 30h}", **budget: str) -> Any:
    return monitor(reference=reference, steps=f"{{name: drift, use: {use}}}", **budget)


def an_hour(engine: Engine, level: float, rows: int = 60) -> None:
    values = level + np.random.default_rng(1).normal(size=rows)
    store(engine, {"a": values.tolist()}, NOON, version="")


@pytest.mark.parametrize("use", STEPS)
def test_rows_that_differ_no_more_than_the_references_own_hours_do_are_no_alarm(
    engine: Engine, tools: Tools, use: str
) -> None:
    hours(engine, np.random.default_rng(3).normal(0, 1.5, 30).tolist())
    an_hour(engine, 3.4)
    without, within = (one(run(engine, watched(use, **b), WINDOW, tools)) for b in ({}, {"budget": "1/100 windows"}))
    assert without.score.fired and (without.calibration, without.alpha) == ("", 0.05)
    assert not within.score.fired and (within.calibration, within.alpha) == ("calibrated", 0.01)
    assert within.score.p_value == without.score.p_value
    assert within.score.reason.startswith("beyond chance, but the reference's own blocks differ as much; ")


@pytest.mark.parametrize("use", STEPS)
def test_rows_that_differ_more_are_one_and_say_by_how_much(engine: Engine, tools: Tools, use: str) -> None:
    hours(engine, [0.0] * 30)
    an_hour(engine, 3.0)
    found = one(run(engine, watched(use, budget="1/100 windows"), WINDOW, tools)).score
    assert found.fired and found.interval and found.effect and found.interval[0] <= found.effect <= found.interval[1]
    assert found.reason.startswith(f"{found.score:.3g} > {found.threshold:.3g}; ")


def test_a_season_is_tried_on_seasons_only(engine: Engine) -> None:
    day = [3 * np.sin(2 * np.pi * hour / 24) for hour in range(24)]  # noon is hour 0
    hours(engine, day * 4, rows=40)
    an_hour(engine, 0.0, rows=40)
    found = one(run(engine, watched("energy", "{same: hour_of_day, over: 3d}", budget="1/100 windows"), WINDOW))
    assert (found.calibration, found.reference_rows, found.score.fired) == ("calibrated", 120, False)
    assert found.score.detectable is not None and found.score.detectable < 1  # hours of other seasons differ by 3


def test_the_blocks_are_read_once_as_long_as_the_reference_stays(engine: Engine) -> None:
    hours(engine, [0.0] * 48)
    an_hour(engine, 0.0)
    read: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def arrow(self, sql: str, *arguments: Any) -> Any:
            read.append(sql)
            return engine.arrow(sql, *arguments)

    tools = Tools(Counting(), Worker(), lambda model, version: NotImplemented, lambda: WINDOW.end)  # type: ignore[arg-type]
    counts = []
    for _ in range(2):
        read.clear()
        run(engine, watched("energy", budget="1/100 windows"), WINDOW, tools)
        counts.append(len(read))
    assert 30 < counts[0] < 40 and counts[1] < 10  # each of the blocks once


@pytest.mark.parametrize(("use", "blocks"), [("energy", 0), ("ks", 31)])
def test_what_reads_the_fields_of_blocks_is_chosen_only_for_steps_that_look_at_fields(
    engine: Engine, tools: Tools, use: str, blocks: int
) -> None:
    hours(engine, [0.0] * 30)
    an_hour(engine, 0.0)
    chosen: list[Relation] = []

    class Watched(Basis):
        def reader(self, monitor: MonitorConfig, relation: Relation) -> Reader:
            chosen.append(relation)
            return super().reader(monitor, relation)

    basis, asked = Watched(engine, Config(), lambda: WINDOW.end), watched(use, budget="1/100 windows")
    reference = References(engine, Config(), basis).find(asked, WINDOW, WINDOW.end)
    found = one(run_monitor(replace(tools, basis=basis), asked, WINDOW, reference))
    assert found.calibration == "calibrated" and len(chosen) == 2 + blocks  # of the reference as it was cut, too


def rows_of(values: np.ndarray) -> Matrix:
    return Matrix((), (), ("a",), values[:, None], np.ones(len(values), bool))


def z_test(reference: Matrix, window: Matrix, alpha: float) -> Judged:
    """|z| of the difference of two means, whose standard deviation is known to be 1."""
    away = abs(window.values.mean() - reference.values.mean()) * math.sqrt(evidence(reference, window))
    law = norm.isf(np.array(LAW_AT) / 2)
    return Judged(Score(away, norm.isf(alpha / 2), 2 * norm.sf(away)), law, math.inf)


def calibrated(blocks: list[Matrix]) -> Calibration:
    given: Any = [Block(kept, NotImplemented) for kept in blocks]  # type: ignore[arg-type]
    return of_blocks([Stretch(given[0], given)], lambda relation, version=None: relation, 100_000, z_test)


@pytest.mark.parametrize("spread", [0.0, 0.1, 1.0, 30.0])  # of the levels of blocks of 100 rows
@pytest.mark.parametrize("count", [25, 40])
def test_windows_like_the_blocks_keep_to_the_budget(spread: float, count: int) -> None:
    random, fired = np.random.default_rng(0), list[bool]()

    def block() -> Matrix:
        return rows_of(random.normal(spread * random.normal(), 1, 100))

    for _ in range(100):
        blocks = [block() for _ in range(count)]
        found, reference = calibrated(blocks), rows_of(np.concatenate([kept.values[:, 0] for kept in blocks]))
        for window in (block() for _ in range(100)):
            fired.append(decide(z_test(reference, window, 0.01), found, 0.01, evidence(reference, window)).fired)
    assert 0.001 < np.mean(fired) < 0.012


def test_windows_of_more_rows_than_the_blocks_need_more_evidence() -> None:
    random = np.random.default_rng(0)
    found = calibrated([rows_of(random.normal(random.normal(), 1, 100)) for _ in range(40)])
    reference = rows_of(random.normal(size=100_000))
    fired = []
    for _ in range(300):
        window = rows_of(random.normal(random.normal(), 1, 10_000))
        fired.append(decide(z_test(reference, window, 0.01), found, 0.01, evidence(reference, window)).fired)
    assert np.mean(fired) < 0.02


def test_a_threshold_that_no_score_exceeds_says_so() -> None:
    random = np.random.default_rng(0)
    found = calibrated([rows_of(random.normal(random.normal(), 1, 100)) for _ in range(40)])
    score, law, _ = z_test(rows_of(random.normal(size=4000)), rows_of(random.normal(size=100)), 0.01)
    told = decide(Judged(replace(score, detectable=0.3), law, most=5.0), found, 0.01, 97.6)
    assert told.threshold is not None and told.threshold > 5 and told.detectable is None
    assert told.reason.startswith("no change would fire")


def test_a_law_without_a_tail_is_left_to_itself() -> None:
    found = calibrated([rows_of(np.random.default_rng(n).normal(size=100)) for n in range(40)])
    for law in (np.empty(0), np.full(7, 0.5)):
        judged = Judged(Score(0.7, 0.6, 0.001), law, 1.0)
        assert decide(judged, found, 0.01, 100.0) == judged.score
