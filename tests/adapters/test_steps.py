"""Adapters as steps of a monitor: what they find is stored, and what goes wrong in one costs that step only."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from cases import REFERENCE, WINDOW, rows
from numpy.typing import NDArray

from core.config import Config, parse
from core.errors import ConfigError
from core.findings import Window
from core.records import PREDICTIONS, ModelKey
from detectors import adapters
from detectors.adapters import Examined, Table
from pipelines.check import mistakes
from pipelines.libraries import PYTHON, uninstalled
from pipelines.monitor import Tools, run_monitor
from pipelines.windows.reference import References
from pipelines.worker import Worker
from storage import open_engine
from storage.engine import Engine
from storage.findings.outcomes import Outcome, save
from storage.findings.reports import WantedReport, find_report
from storage.migrate import migrate

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))
KS = "{name: own, use: ks}"
STEP = "{{name: theirs, use: {use}, options: {options}}}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_engine(f"chdb://{tmp_path_factory.mktemp('store')}")
    migrate(engine)
    for table, start in ((REFERENCE, NOON - timedelta(hours=1)), (WINDOW, NOON)):
        engine.insert("predictions", predictions(table, start))
    yield engine
    engine.close()


def predictions(table: Mapping[str, NDArray[Any]], start: datetime) -> pa.Table:
    """One a second from `start`, of the model m."""
    count = len(table["a"])
    times = [start + timedelta(seconds=n) for n in range(count)]
    columns: dict[str, list[Any]] = {
        **dict.fromkeys(("time", "received"), times),
        "id": [f"{start:%H}-{n:03}" for n in range(count)],
        **{name: [value] * count for name, value in (("namespace", "default"), ("model", "m"), ("status", 200))},
        "weight": [1.0] * count,
        "inputs_num": [[(n, c[at]) for n, c in table.items() if c.dtype != object] for at in range(count)],
        "inputs_cat": [[(n, c[at]) for n, c in table.items() if c.dtype == object] for at in range(count)],
    }
    return pa.table(columns, schema=pa.schema([PREDICTIONS.field(name) for name in columns]))


def config(*steps: str) -> Config:
    return parse(
        "monitors: [{name: watch, model: m, reference: {window: 1h}, window: {every: 1h}, "
        f"steps: [{', '.join((KS, *steps))}]}}]"
    )


def run(engine: Engine, worker: Worker, use: str, options: str = "{}") -> Outcome:
    (monitor,) = config(STEP.format(use=use, options=options)).monitors
    tools = Tools(engine, worker, unasked, lambda: NOON, outside=worker)
    return run_monitor(tools, monitor, HOUR, References(engine, config()).find(monitor, HOUR, NOON))


def unasked(model: ModelKey, version: str) -> Any:
    raise AssertionError("no detector calls the model")


def failed(outcome: Outcome) -> str:
    """The reason of the step's failure, one line; the other step has found what it finds."""
    assert outcome.run.status == "failed" and "\n" not in outcome.run.reason
    found = {f.field: f.score.fired for f in outcome.findings if f.step == "own"}
    assert found == {"a": True, "b": False, "flag": False, "flop": False}
    assert not [f for f in outcome.findings if f.step == "theirs"]
    return outcome.run.reason


def test_a_row_of_the_store_is_a_row_of_the_library(engine: Engine, worker: Worker) -> None:
    found = [f for f in run(engine, worker, "alibi_detect.TabularDrift").findings if f.step == "theirs"]
    asked = adapters.make("alibi_detect.TabularDrift", {}).examine
    expected: Examined = worker.call(asked, Table(REFERENCE), Table(WINDOW), 0.05)
    assert {f.field: f.score for f in found} == {verdict.field: verdict.score for verdict in expected.verdicts}
    assert {(f.kind, f.reference_rows, f.window_rows) for f in found} == {("drift", 120, 80)}


def test_outliers_have_a_score_each_in_the_store(engine: Engine, worker: Worker) -> None:
    outcome = run(engine, worker, "alibi_detect.IForest", "{fields: [a, b]}")
    save(engine, outcome)
    (finding,) = [f for f in outcome.findings if f.step == "theirs"]
    stored = engine.rows("SELECT countIf(score > threshold) AS outliers, count() AS rows FROM scores FINAL")[0]
    assert stored["rows"] == 80 and finding.kind == "outlier"
    assert finding.score.score == stored["outliers"] / 80


def test_a_report_is_kept_with_its_run_and_what_all_repeat_once(engine: Engine, worker: Worker) -> None:
    for column in ("a", "b"):
        outcome = run(engine, worker, "evidently.ValueDrift", f"{{column: {column}}}")
        save(engine, outcome)
        (finding,) = [f for f in outcome.findings if f.step == "theirs"]
        assert finding.score.reason.endswith(f"report at /api/runs/{outcome.run.id}/reports/theirs")
        kept = find_report(engine, WantedReport(outcome.run.id, "theirs"))
        assert kept == outcome.reports[0].html and f"Drift in column '{column}'" in kept and len(kept) > 3_000_000
    sizes = engine.rows("SELECT count() AS reports, max(length(html)) AS longest FROM reports FINAL")[0]
    parts = engine.rows("SELECT count() AS parts FROM report_parts")[0]
    assert sizes["reports"] == 2 and sizes["longest"] < 100_000 and parts["parts"] == 2


def test_too_much_time_or_memory_costs_the_step_only(engine: Engine, python: str) -> None:
    for worker, reason in (
        (Worker(seconds=0.2, python=python), "theirs: ran longer than 0.2 s and was stopped"),
        (Worker(memory_bytes=16 << 20, python=python), "theirs: needed more than 16 MB of memory"),
    ):
        try:
            assert failed(run(engine, worker, "alibi_detect.KSDrift", "{fields: [a]}")) == reason
        finally:
            worker.stop()


def test_what_the_library_refuses_is_said_in_a_line(engine: Engine, worker: Worker, directly: dict[str, Any]) -> None:
    said = failed(run(engine, worker, "alibi_detect.KSDrift", "{correction: none, fields: [a, b]}"))
    assert said == "theirs: ValueError: Only `bonferroni` and `fdr` are acceptable for multivariate correction."
    said = failed(run(engine, worker, "alibi_detect.ClassifierDrift", "{model: LogisticRegresion}"))
    assert said == "theirs: scikit-learn has no classifier 'LogisticRegresion'; did you mean 'LogisticRegression'?"
    if "tensorflow" not in directly["has"]:
        said = failed(run(engine, worker, "alibi_detect.MMDDrift", "{backend: tensorflow}"))
        assert said.endswith("needs tensorflow, which is not installed: pip install 'alibi-detect[tensorflow]'")
    said = failed(run(engine, worker, "alibi_detect.FETDrift", "{fields: [city]}"))
    assert said == "theirs: field 'city' holds categories, which this detector does not take"


def test_a_missing_library_fails_its_step_and_says_how_to_install_it(engine: Engine) -> None:
    worker = Worker()
    try:
        said = failed(run(engine, worker, "alibi_detect.MMDDrift"))
        assert said == "theirs: the module 'alibi_detect' is not installed: pip install 'tidemark[alibi-detect]'"
    finally:
        worker.stop()


def test_an_interpreter_that_is_not_there_fails_the_step(engine: Engine, tmp_path: Path) -> None:
    worker = Worker(python=str(tmp_path / "python"))
    assert "python cannot be started: No such file or directory" in failed(run(engine, worker, "alibi_detect.KSDrift"))


def test_the_other_interpreter_finds_tidemark_and_nothing_else_of_this_environment(python: str) -> None:
    worker = Worker(python=python)
    try:
        with pytest.raises(Exception, match="No module named 'storage'"):
            worker.call(open_engine, "chdb://x")
        assert worker.call(np.cumsum, np.arange(4.0)).tolist() == [0, 1, 3, 6]
    finally:
        worker.stop()


def test_check_names_what_is_near_without_any_library() -> None:
    def said(use: str, options: str = "{}") -> str:
        (line,) = mistakes(config(STEP.format(use=use, options=options)))
        return line.partition("steps.1.")[2].partition(": ")[2]

    assert said("alibi_detect.MMDrift").endswith("no detector 'MMDrift'; did you mean 'MMDDrift'?")
    assert said("alibi_detect").endswith("name one of its detectors, such as alibi_detect.KSDrift")
    assert said("alibi_detct.KSDrift").endswith("did you mean 'alibi_detect.KSDrift'?")
    assert said("alibi_detect.KSDrift", "{pval: 0.1}").endswith("has no option 'pval'; did you mean 'p_val'?")
    assert "'preprocess_fn' is code, which" in said("alibi_detect.KSDrift", "{preprocess_fn: f}")
    for use, options, needed in (
        ("OutlierVAE", "{}", "alibi-detect's OutlierVAE needs trained Keras models, which a configuration cannot hold"),
        ("ClassifierDrift", "{backend: tensorflow, model: m}", "a model of the backend 'tensorflow' is code, which"),
    ):
        line = said(f"alibi_detect.{use}", options)
        assert needed in line and line.endswith("save the detector and use alibi_detect.load")
    assert said("alibi_detect.MMDDriftOnline", "{ert: 10}").endswith("needs the option 'window_size'")
    assert "option 'fields'" in said("alibi_detect.load", "{path: x, fields: []}")
    assert said("evidently.DataDriftPrest").endswith("did you mean 'DataDriftPreset'?")
    assert said("evidently.Accuracy").endswith("needs labels or rankings beside the inputs, so it cannot be a step")
    assert said("evidently.MeanValue", "{column: a, tests: {les: 1}}").endswith("did you mean 'lte'?")


def test_check_says_what_is_not_installed_but_lets_it_start(monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    asked = config(STEP.format(use="alibi_detect.KSDrift", options="{}"))
    assert mistakes(asked) == []
    monkeypatch.delenv(PYTHON, raising=False)
    assert [line.partition(" lacks: ")[2] for line in uninstalled(asked)] == ["pip install 'tidemark[alibi-detect]'"]
    monkeypatch.setenv(PYTHON, python)
    assert uninstalled(asked) == []


@pytest.mark.parametrize("use", ["alibi_detect.KSDrift", "alibi_detect.IForest", "evidently.DataDriftPreset"])
def test_rows_without_values_or_without_a_neighbour_give_a_reason(use: str, worker: Worker) -> None:
    asked = adapters.make(use, {})
    nothing = worker.call(asked.examine, Table({}), Table({}), 0.05).verdicts
    assert [(v.field, v.score.score) for v in nothing] == [("", None)] and "share no" in nothing[0].score.reason
    if use.startswith("alibi"):
        one = Table({"a": np.array([1.0, np.nan])})
        (verdict,) = worker.call(asked.examine, one, Table({"a": WINDOW["a"]}), 0.05).verdicts
        assert verdict.score.reason == "the reference has 1 complete rows of 2; at least 2 are needed"


def test_rows_with_missing_values_are_left_out_and_counted(worker: Worker) -> None:
    holes = {name: column[:40].copy() for name, column in rows(3, 80, 0.0).items() if name in "ab"}
    holes["a"][:5] = np.nan
    asked = adapters.make("alibi_detect.Mahalanobis", {"n_components": 2})
    found = worker.call(asked.examine, Table({n: REFERENCE[n] for n in "ab"}), Table(holes), 0.05)
    assert np.isnan(found.scores).tolist() == [True] * 5 + [False] * 35
    assert found.verdicts[0].score.reason.endswith("5 of 40 rows of the window have missing values and were left out")


def test_an_option_of_a_wrong_type_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match="option 'rows' is 'many'"):
        adapters.make("alibi_detect.KSDrift", {"rows": "many"})
