"""Adapters give the numbers that the libraries give when they are called directly, and fire exactly when they do."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import CASES, REFERENCE, REPORTS, WINDOW, Case

from detectors import adapters
from detectors.adapters import Examined, Table
from pipelines.worker import Worker

SCORES = ("IForest", "Mahalanobis", "SpectralResidual")


def examined(worker: Worker, use: str, options: dict[str, Any]) -> Examined:
    return worker.call(adapters.make(use, options).examine, Table(REFERENCE), Table(WINDOW), 0.05)


def of_case(worker: Worker, case: Case) -> Examined:
    fields = [field for field in case.fields if field not in case.own.get("context", ())]
    return examined(worker, f"alibi_detect.{case.name}", {**case.options, **case.own, "fields": fields})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_each_class_of_alibi_detect_gives_the_numbers_of_a_direct_call(
    case: Case, worker: Worker, directly: dict[str, Any], has_needed: Callable[[Case], None]
) -> None:
    has_needed(case)
    found, said = of_case(worker, case), directly["named"][case.id]
    if case.name in SCORES:
        same_outliers(found, said)
    elif case.name.endswith("Online"):
        same_stream(found, said, case)
    elif isinstance(said["p_val"], list):
        same_features(found, said, case.fields)
    else:
        same_joint(found, said)


def same_features(found: Examined, said: dict[str, Any], fields: tuple[str, ...]) -> None:
    assert [field for field, _ in found.verdicts] == list(fields)
    scores = [score for _, score in found.verdicts]
    assert [score.p_value for score in scores] == said["p_val"]
    assert [score.effect for score in scores] == [d if math.isfinite(d) else None for d in said["distance"]]
    fired = [p < np.min(said["threshold"]) for p in said["p_val"]]
    assert [score.fired for score in scores] == fired
    is_drift = said["is_drift"]
    assert is_drift == ([int(f) for f in fired] if isinstance(is_drift, list) else int(any(fired)))


def same_joint(found: Examined, said: dict[str, Any]) -> None:
    ((field, score),) = found.verdicts
    assert (field, score.p_value, score.fired) == ("", said["p_val"], bool(said["is_drift"]))
    if "distance_threshold" in said:
        assert (score.score, score.threshold) == (said["distance"], said["distance_threshold"])
    else:
        assert (score.score, score.threshold) == (1 - said["p_val"], 1 - said["threshold"])
        assert score.effect == said["distance"]


def same_stream(found: Examined, said: list[dict[str, Any]], case: Case) -> None:
    """Whether it ever drifted, and the statistic that was furthest above its threshold."""
    assert any(score.fired for _, score in found.verdicts) == any(one["is_drift"] for one in said)
    for at, (_, score) in enumerate(found.verdicts):
        steps = [(largest(one["test_stat"], at), threshold(one["threshold"], at)) for one in said]
        known = [step for step in steps if not math.isnan(step[0]) and not math.isnan(step[1])]
        expected = max(known, key=lambda step: step[0] - step[1])
        assert (score.score, score.threshold) == pytest.approx(expected, rel=1e-12)


def largest(statistics: Any, field: int) -> float:
    if not isinstance(statistics, list):
        return float(statistics)
    return max((row[field] for row in statistics if not math.isnan(row[field])), default=math.nan)


def threshold(thresholds: Any, field: int) -> float:
    return float(thresholds[field % len(thresholds)]) if isinstance(thresholds, list) else float(thresholds)


def same_outliers(found: Examined, said: dict[str, Any]) -> None:
    assert found.scores is not None
    assert (found.scores.tolist(), found.threshold) == (said["instance_score"], said["threshold"])
    ((_, score),) = found.verdicts
    assert score.score == sum(said["is_outlier"]) / len(said["is_outlier"])


@pytest.mark.parametrize(("at", "name", "options"), [(at, *case) for at, case in enumerate(REPORTS)])
def test_each_preset_and_metric_of_evidently_gives_the_numbers_of_a_direct_call(
    at: int, name: str, options: dict[str, Any], worker: Worker, directly: dict[str, Any]
) -> None:
    found = examined(worker, f"evidently.{name}", {**options, "report": at == 0})
    said = directly["reports"][at]
    assert len(found.verdicts) == len(said)
    for (_, score), metric in zip(found.verdicts, said, strict=True):
        value = metric["value"]
        value = value.get("share") if isinstance(value, dict) else value
        same = score.p_value if score.p_value is not None else score.score
        assert same == value, metric["metric"]
        assert score.fired == metric["failed"], metric["metric"]
    assert bool(found.html) == bool(found.constant) == (at == 0)


def test_fields_of_a_preset_have_a_finding_each(worker: Worker) -> None:
    drift = examined(worker, "evidently.DataDriftPreset", {"report": False})
    assert [field for field, _ in drift.verdicts] == ["", "a", "b", "flag", "flop", "city", "plan"]
    summary = examined(worker, "evidently.DataSummaryPreset", {"report": False, "fields": ["a"]})
    names = [field for field, _ in summary.verdicts]
    assert "MeanValue(column=a)" in names and len(names) == len(set(names))


def test_tests_of_a_metric_decide_and_its_value_is_the_effect(worker: Worker) -> None:
    def mean(**tests: float) -> Any:
        found = examined(worker, "evidently.MeanValue", {"column": "a", "report": False, "tests": tests})
        return found.verdicts[0].score

    assert mean(gt=100).fired is mean(lt=1000, gt=100).fired is False
    failed = mean(lt=100, gt=200)
    assert (failed.score, failed.threshold, failed.fired) == (1, 0, True)
    assert failed.effect == pytest.approx(WINDOW["a"].mean()) and "Actual value 30" in failed.reason


def test_the_lists_of_classes_and_options_are_those_of_the_libraries(directly: dict[str, Any]) -> None:
    from detectors.adapters import _alibi_classes as alibi
    from detectors.adapters import _evidently_classes as evidently

    theirs = directly["classes"]["alibi_detect"]
    assert set(theirs) == set(alibi.CLASSES)
    for name, listed in alibi.CLASSES.items():
        if theirs[name] is not None and not listed.saved_only:
            known = {*listed.options, *alibi.REFUSED, "x_ref", "c_ref"}
            assert set(theirs[name]) <= known and set(listed.options) <= set(theirs[name]), name
    metrics = directly["classes"]["evidently"]
    assert set(metrics) == {*evidently.CLASSES, *evidently.REFUSED}
    for name, options in evidently.CLASSES.items():
        assert set(options) <= set(metrics[name]), name
