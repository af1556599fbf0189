"""Every query of the dashboard, run on a real engine with the real schema as the Grafana plugin would send it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from grafana_macros import ALL, View, expand

from core.findings import Explanation, Finding, RowScore, Run, Score, Window
from dashboards.publish import as_json
from storage import open_engine
from storage.engine import Engine
from storage.findings.outcomes import Outcome, save
from storage.lookup.ledger import store_ledger
from storage.migrate import migrate

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(hours=1)
WINDOW = Window(NOW - timedelta(minutes=10), NOW - timedelta(minutes=5))
VIEW = View(START, NOW + timedelta(hours=1), 60, {"namespace": "default", "model": "income", "monitor": [ALL]})
BOARD = as_json("model_monitoring")
TARGETS = {
    panel["title"]: target
    for panel in BOARD["panels"]
    for target in panel.get("targets", [])
    if target["datasource"]["type"] == "grafana-clickhouse-datasource"
}
VARIABLES = {v["name"]: v["query"]["rawSql"] for v in BOARD["templating"]["list"] if v["type"] == "query"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """60 predictions of two versions, six of them failed, sent twice; what a monitor found, revised once."""
    engine = open_engine(f"chdb://{tmp_path_factory.mktemp('dashboards') / 'store'}")
    migrate(engine)
    for _ in range(2):
        engine.command(PREDICTIONS, {"now": NOW.timestamp()})
    engine.command("INSERT INTO models (namespace, model, field) VALUES ('default', 'income', 'age')")
    store_ledger(engine, "c0ffee00" * 4, [LEDGER])
    save(engine, outcome(revision=0, score=0.3))
    save(engine, outcome(revision=1, score=0.4))
    yield engine
    engine.close()


PREDICTIONS = """
INSERT INTO predictions (time, received, id, content, namespace, model, version, source, status, error, latency, weight,
                         inputs_num, inputs_cat, outputs_num)
SELECT toDateTime64({now:Float64} - 60 * number, 6) AS time, time, concat('p', toString(number)), number, 'default',
       'income', if(number < 30, '2', '1'), 'tap/income', if(number % 10 = 0, 503, 200),
       if(number % 10 = 0, 'down', ''), 0.01, 2, map('age', number), map('country', 'DE'), map('p', 0.5)
FROM numbers(60)
"""


LINE = {"tap": "events", "namespace": "default", "model": "income", "unit": "row"}
LEDGER = {**LINE, "accepted": 60, "stored": 54, "sampled": 5, "in_flight": 0, "difference": 1}


def outcome(revision: int, score: float) -> Outcome:
    run = Run("run-1", "income-drift", "default", "income", WINDOW, "done", WINDOW.end, NOW, 60, "train")
    drift = Finding(
        "run-1",
        "income-drift",
        "drift",
        "default",
        "income",
        "2",
        "",
        "age",
        WINDOW,
        Score(score, 0.2),
        1000,
        60,
        revision=revision,
    )
    undecided = replace(drift, field="hours", score=Score(None, None, reason="only one value"))
    outliers = replace(drift, step="outliers", field="", kind="outlier", score=Score(0.1, 0.05))
    return Outcome(
        run,
        [drift, undecided, outliers],
        [RowScore(f"p{n}", "default", "income", "income-drift", "outliers", "run-1", n, 3.0) for n in range(5)],
        [Explanation("p4", "default", "income", "2", "shapley", "p", 0.5, 0.4, {"age": 0.1, "hours": -0.2}, {}, 9)],
    )


def ask(store: Engine, title: str, view: View = VIEW) -> pa.Table:
    return store.arrow(expand(TARGETS[title]["rawSql"], view))


@pytest.mark.parametrize("monitor", [ALL, "income-drift"])
@pytest.mark.parametrize("title", TARGETS)
def test_each_panel_shows_rows(title: str, monitor: str, store: Engine) -> None:
    view = replace(VIEW, variables=VIEW.variables | {"monitor": [monitor]})
    assert ask(store, title, view).num_rows > 0


@pytest.mark.parametrize("other", [{"model": "it's another"}, {"namespace": "team-a"}])
@pytest.mark.parametrize("title", TARGETS)
def test_no_panel_shows_another_models_rows(title: str, other: dict[str, str], store: Engine) -> None:
    assert ask(store, title, replace(VIEW, variables={**VIEW.variables, **other})).num_rows == 0


@pytest.mark.parametrize("title", TARGETS)
def test_no_panel_shows_what_is_outside_the_time_range(title: str, store: Engine) -> None:
    assert (
        ask(store, title, replace(VIEW, start=START - timedelta(days=2), end=START - timedelta(days=1))).num_rows == 0
    )


@pytest.mark.parametrize("title", [t for t, target in TARGETS.items() if target["queryType"] == "timeseries"])
def test_a_time_series_is_one_time_then_names_then_numbers(title: str, store: Engine) -> None:
    time, *others = ask(store, title).schema
    assert pa.types.is_timestamp(time.type) or time.type == pa.uint32()
    assert [f for f in others if pa.types.is_floating(f.type)]
    assert not [f for f in others if pa.types.is_timestamp(f.type)]


def test_traffic_counts_what_was_sent_twice_once_and_weighs_sampled_rows(store: Engine) -> None:
    rows = ask(store, "Predictions by version").to_pylist()
    assert sum(row["predictions"] * 60 for row in rows) == pytest.approx(2 * 60)
    assert {row["series"] for row in rows} == {"1", "2"}


def test_the_failed_share_is_of_each_interval(store: Engine) -> None:
    whole = replace(VIEW, interval_seconds=86400 * 365 * 100)
    assert ask(store, "Failed inferences", whole).column("failed").to_pylist() == [pytest.approx(0.1)]
    assert len(ask(store, "Recent failed inferences").to_pylist()) == 6


def test_drift_is_the_newest_revision_relative_to_its_threshold(store: Engine) -> None:
    (row,) = ask(store, "Drift by field, relative to its threshold").to_pylist()
    assert row["drift"] == pytest.approx(2.0)
    assert row["series"] == "income-drift drift age"


def test_findings_tell_what_fired_and_what_could_not_be_decided(store: Engine) -> None:
    found = {(row["field"], row["verdict"], row["reason"]) for row in ask(store, "Recent findings").to_pylist()}
    assert found == {("age", "fired", ""), ("", "fired", ""), ("hours", "undecided", "only one value")}


def test_the_highest_scores_come_first_with_the_rows_they_belong_to(store: Engine) -> None:
    first: dict[str, Any] = ask(store, "Highest-scoring predictions").to_pylist()[0]
    assert (first["id"], first["score"], first["numbers"], first["version"]) == ("p4", 4.0, "{'age':4}", "2")


def test_an_explanation_names_the_largest_contributions_first(store: Engine) -> None:
    (row,) = ask(store, "Explained predictions").to_pylist()
    assert row["contributions"] == "hours -0.2, age 0.1"


def test_a_run_shows_how_long_it_took(store: Engine) -> None:
    (row,) = ask(store, "Recent runs").to_pylist()
    assert row["seconds"] == pytest.approx(300)


def test_the_ledger_shows_every_word_and_what_is_missing(store: Engine) -> None:
    (row,) = ask(store, "What became of the rows").to_pylist()
    assert {word: row[word] for word in ("collector", "accepted", "stored", "duplicate", "sampled", "difference")} == {
        "collector": "c0ffee00",
        "accepted": 60,
        "stored": 54,
        "duplicate": 0,
        "sampled": 5,
        "difference": 1,
    }


def test_each_variable_offers_what_is_stored(store: Engine) -> None:
    offered = {name: store.arrow(expand(sql, VIEW)).column(0).to_pylist() for name, sql in VARIABLES.items()}
    assert offered == {"namespace": ["default"], "model": ["income"], "monitor": ["income-drift"]}
