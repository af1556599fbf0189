"""What one run of one monitor leaves behind, written so that a run that is there is whole."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from core.findings import DetectorState, Explanation, Finding, Report, RowScore, RowSpan, Run, Window
from core.records import TIME
from core.times import EPOCH
from storage.engine import Engine
from storage.engines.columns import STRINGS
from storage.findings.reports import save_reports
from storage.findings.states import save_states

# Types that Arrow would not infer from the values alone.
_TYPES = {
    **dict.fromkeys(("score", "threshold", "p_value", "effect", "prediction", "baseline"), pa.float64()),
    **dict.fromkeys(("interval_low", "interval_high", "detectable", "error_bound", "alpha"), pa.float64()),
    **dict.fromkeys(("window_start", "window_end", "started", "finished", "first_received", "last_received"), TIME),
    **dict.fromkeys(("values", "errors"), pa.map_(pa.string(), pa.float64())),
    "versions": STRINGS,
    "states": pa.uint64(),
}


class Outcome(NamedTuple):
    """A run with all that it found."""

    run: Run
    findings: Sequence[Finding] = ()
    scores: Sequence[RowScore] = ()
    explanations: Sequence[Explanation] = ()
    reports: Sequence[Report] = ()
    states: Sequence[DetectorState] = ()


def save(engine: Engine, outcome: Outcome) -> None:
    """The run comes last: a run that is there has all its rows, one that is not is done again and replaces them."""
    _insert(engine, "results", (_result_row(finding) for finding in outcome.findings))
    _insert(engine, "scores", (vars(score) for score in outcome.scores))
    _insert(engine, "explanations", (_explanation_row(e) for e in outcome.explanations))
    save_reports(engine, outcome.reports)
    save_states(engine, outcome.states)
    _insert(engine, "runs", [_run_row(outcome.run)])


def _result_row(finding: Finding) -> dict[str, Any]:
    score = finding.score
    low, high = score.interval or (None, None)
    plain = {name: value for name, value in vars(finding).items() if name not in ("window", "score")}
    numbers = {name: value for name, value in vars(score).items() if name != "interval"}
    interval = {"interval_low": low, "interval_high": high}
    return {**plain, **numbers, **interval, "fired": int(score.fired), **_times(finding.window)}


def _explanation_row(explanation: Explanation) -> dict[str, Any]:
    maps = {name: list(getattr(explanation, name).items()) for name in ("values", "errors")}
    return {**vars(explanation), **maps}


def _run_row(run: Run) -> dict[str, Any]:
    (first, first_id), (last, last_id) = run.window.rows or RowSpan((EPOCH, ""), (EPOCH, ""))
    span = {"first_received": first, "first_id": first_id, "last_received": last, "last_id": last_id}
    plain = {name: value for name, value in vars(run).items() if name != "window"}
    return {**plain, "versions": list(run.versions.items()), **_times(run.window), **span}


def _times(window: Window) -> dict[str, datetime]:
    return {"window_start": window.start, "window_end": window.end}


def _insert(engine: Engine, table: str, rows: Iterable[dict[str, Any]]) -> None:
    if listed := list(rows):
        columns = {name: [row[name] for row in listed] for name in listed[0]}
        engine.insert(table, pa.table({name: pa.array(column, _TYPES.get(name)) for name, column in columns.items()}))
