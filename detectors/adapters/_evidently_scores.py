"""What an Evidently snapshot says, as scores."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from core.findings import Score

from ._verdicts import agreeing, by_p_value, joined
from .protocols import Verdict

# Metrics with a threshold of their own.
DRIFT = ("ValueDrift", "DriftedColumnsCount")


def verdicts(snapshot: Mapping[str, Any], alone: bool) -> list[Verdict]:
    """Of `Snapshot.dict()`: one for each metric. `alone`: a single one needs no name beside that of its column."""
    tests: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for test in snapshot["tests"]:
        tests[test["metric_config"]["metric_id"]].append(test)
    found = [Verdict(_field(metric, alone), _score(metric, tests[metric["id"]])) for metric in snapshot["metrics"]]
    return [*{verdict.field: verdict for verdict in found}.values()]


def _field(metric: Mapping[str, Any], alone: bool) -> str:
    """The column, or in a preset the metric with its column: a column has many of them there."""
    column = str(metric["config"].get("column", ""))
    return column if alone or _kind(metric) in DRIFT else str(metric["metric_name"])


def _kind(metric: Mapping[str, Any]) -> str:
    return str(metric["config"]["type"]).rpartition(":")[2]


def _score(metric: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> Score:
    value, config = _number(metric["value"]), metric["config"]
    if value is None:
        return Score(None, None, reason=f"gives no number: {str(metric['value'])[:200]}")
    failed = [test for test in tests if test["status"] != "SUCCESS"]
    own = [test for test in tests if test["id"] == "drift"]
    if _kind(metric) == "ValueDrift" and own:
        return _drift(value, config, bool(failed))
    if _kind(metric) == "DriftedColumnsCount" and "tests" not in config and "share_tests" not in config and tests:
        count = f"{metric['value']['count']:g} drifted columns"
        return agreeing(Score(value, config["drift_share"], reason=count), bool(failed))
    if tests:
        said = joined(*(str(test["description"]) for test in failed))[:500]
        text = f"{len(failed)} of {len(tests)} tests failed, which is the score; effect is the value"
        return Score(float(len(failed)), 0.0, None, value, f"{text}: {said}" if said else text)
    return Score(value, None, reason="has no test, so it never fires")


def _drift(value: float, config: Mapping[str, Any], fired: bool) -> Score:
    method, threshold = str(config["method"]), float(config["threshold"])
    if method.endswith("p_value"):
        return by_p_value(value, threshold, None, fired, method)
    return agreeing(Score(value, threshold, reason=method), fired)


def _number(value: Any) -> float | None:
    """The value, or of a count its share; None for what is no finite number."""
    if isinstance(value, Mapping):
        value = value.get("share")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
