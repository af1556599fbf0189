"""tidemark.yaml: what is valid means what it says, and what is wrong is named with file, line, key and nearest key."""

from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from core.config import (
    Config,
    DatasetReference,
    RowsReference,
    RowWindows,
    SeasonReference,
    TimeWindows,
    WindowReference,
    load,
    parse,
)
from core.config import model_key as key
from core.errors import ConfigError
from core.records import ModelKey

EXAMPLE = """\
models:
  income:
    fields: {age: {kind: num, role: input, range: [17, 90]}, country: {kind: cat, role: input}}
monitors:
  - name: income-drift
    model: income
    reference: {dataset: adult-train}
    window: {every: 5m, over: 1h, settle: 30s}
    segments: [tags.country]
    steps:
      - {name: drift, use: ks}
      - {name: joint, use: alibi_detect.MMDDrift, options: {p_val: 0.01}}
      - {name: outliers, use: isolation_forest}
      - {name: why, use: shapley, after: outliers.fired, rows: 20}
    alert: {severity: page, for: 10m}
"""

MONITOR = """\
monitors:
  - name: m
    model: income
    reference: {dataset: adult}
    window: {every: 5m}
    steps: [{name: drift, use: ks}]
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse(dedent(text), "here.yaml")
    return str(raised.value).splitlines()


def monitor_with(old: str, new: str) -> str:
    assert old in MONITOR
    return MONITOR.replace(old, new)


def test_the_example_of_the_design_means_what_it_says() -> None:
    config = parse(EXAMPLE)
    monitor, age = config.monitors[0], config.models["income"].fields["age"]
    assert (age.kind, age.role, age.range) == ("num", "input", (17, 90))
    assert monitor.reference == DatasetReference(dataset="adult-train")
    assert monitor.window == TimeWindows(
        every=timedelta(minutes=5), over=timedelta(hours=1), settle=timedelta(seconds=30)
    )
    assert monitor.segments == ("tags.country",)
    assert [(s.name, s.use, s.after, s.rows) for s in monitor.steps[2:]] == [
        ("outliers", "isolation_forest", None, 20),
        ("why", "shapley", "outliers.fired", 20),
    ]
    assert monitor.steps[1].options == {"p_val": 0.01}
    assert (monitor.alert.severity, monitor.alert.for_) == ("page", timedelta(minutes=10))


@pytest.mark.parametrize("text", ["", "# a comment\n", "{}", "---\n"])
def test_an_empty_file_is_all_defaults(text: str) -> None:
    assert parse(text) == Config()


def test_a_window_is_of_time_or_of_rows() -> None:
    by_time, by_rows = (parse(monitor_with("{every: 5m}", w)).monitors[0].window for w in ("{every: 5m}", "{rows: 9}"))
    assert isinstance(by_time, TimeWindows)
    assert by_time.length == timedelta(minutes=5)
    assert by_rows == RowWindows(rows=9)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("{window: 7d, offset: 1d}", WindowReference(window=timedelta(days=7), offset=timedelta(days=1))),
        ("{window: 7d}", WindowReference(window=timedelta(days=7), offset=timedelta(0))),
        ("{first_rows: 1000}", RowsReference(first_rows=1000)),
        ("{same: hour_of_week, over: 8w}", SeasonReference(same="hour_of_week", over=timedelta(weeks=8))),
    ],
)
def test_a_reference_is_a_dataset_a_past_window_or_the_first_rows(text: str, meant: object) -> None:
    assert parse(monitor_with("{dataset: adult}", text)).monitors[0].reference == meant


def test_a_models_name_may_carry_its_namespace() -> None:
    config = parse("models: {team-a/income: {endpoint: 'http://a'}, income: {endpoint: 'http://b'}}")
    assert config.model(ModelKey("team-a", "income")).endpoint == "http://a"
    assert config.model(ModelKey("default", "income")).endpoint == "http://b"
    assert config.model(ModelKey("team-b", "income")).endpoint is None
    assert (key("income"), key("a/income"), key("income", "b")) == (
        ModelKey("default", "income"),
        ModelKey("a", "income"),
        ModelKey("b", "income"),
    )


def test_a_model_known_only_by_name_is_found_in_the_namespace_it_was_declared_in() -> None:
    config = parse("models: {team-a/income: {}, churn: {}}")
    assert config.key_of("income") == ModelKey("team-a", "income")
    assert config.key_of("churn") == ModelKey("default", "churn")
    assert config.key_of("undeclared") == ModelKey("default", "undeclared")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("mdels: {}", "here.yaml:1: unknown key 'mdels'; did you mean 'models'?"),
        ("models:\n  a:\n    feilds: {}", "here.yaml:3: unknown key 'models.a.feilds'; did you mean 'fields'?"),
        (
            "models:\n  a:\n    fields:\n      age: {knd: num}",
            "here.yaml:4: unknown key 'models.a.fields.age.knd'; did you mean 'kind'?",
        ),
        (
            "models:\n  a:\n    fields:\n      age: {range: [90, 17]}",
            "here.yaml:4: models.a.fields.age: range: the lowest value comes first",
        ),
        (
            "models:\n  a:\n    fields:\n      age: {kind: num, categories: [a]}",
            "here.yaml:4: models.a.fields.age: categories: they go with kind: cat",
        ),
        (
            monitor_with("{every: 5m}", "{every: 5m, ovr: 1h}"),
            "here.yaml:5: unknown key 'monitors.0.window.ovr'; did you mean 'over'?",
        ),
        (
            monitor_with("use: ks", "use: ks, zzz: 1"),
            "here.yaml:6: unknown key 'monitors.0.steps.0.zzz'; there are: after, false_alarms, name, options,"
            " rows, use",
        ),
        (
            f"{MONITOR}    alert: {{for_: 10m}}",
            "here.yaml:7: unknown key 'monitors.0.alert.for_'; did you mean 'for'?",
        ),
        (
            monitor_with("{every: 5m}", "{every: 5m, rows: 3}"),
            "here.yaml:5: the key 'monitors.0.window.rows' does not go with the keys beside it",
        ),
    ],
)
def test_an_unknown_key_is_named_with_its_line_and_the_nearest_valid_key(text: str, mistake: str) -> None:
    assert mistakes(text) == [mistake]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("taps:\n  - {name: a}", "2: taps.0.upstream: Field required"),
        ("taps:\n  - {name: a, upstream: 'ftp://x'}", "2: taps.0.upstream: "),
        ("taps:\n  - {name: a/../b, upstream: 'http://x'}", "2: taps.0.name: "),
        ("limits:\n  body_bytes: many", "2: limits.body_bytes: "),
        ("retention:\n  predictions: 0", "2: retention.predictions: "),
        ("models: 3", "1: models: Input should be a mapping"),
        ("- models", "1: the file: Input should be a mapping"),
        (monitor_with("{every: 5m}", "{every: 0s}"), "5: monitors.0.window: 'every' and 'over' must be longer"),
        (monitor_with("{every: 5m}", "{rows: 0}"), "5: monitors.0.window.rows: "),
        (monitor_with("{every: 5m}", "{}"), "5: monitors.0.window.every: Field required"),
        (monitor_with("dataset: adult", "first_rows: 1"), "4: monitors.0.reference.first_rows: "),
        (monitor_with("[{name: drift, use: ks}]", "[]"), "6: monitors.0.steps: a monitor has at least one step"),
        (f"{MONITOR}    segments: [country]", "7: monitors.0.segments.0: "),
        (f"{MONITOR}    alert: {{severity: pager}}", "7: monitors.0.alert.severity: "),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_key(text: str, place: str) -> None:
    (mistake,) = mistakes(text)
    assert mistake.startswith(f"here.yaml:{place}")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (monitor_with("dataset: adult", "same: hour_of_dya, over: 4w"), "'hour_of_week'; did you mean 'hour_of_day'?"),
        (f"{MONITOR}    alert: {{severity: pgae}}", "'info'; did you mean 'page'?"),
        ("models: {a: {fields: {x: {kind: catt}}}}", "'num' or 'cat'; did you mean 'cat'?"),
        ("masking: {rules: [{field: a, do: hsah}]}", "'drop' or 'hash'; did you mean 'hash'?"),
        (f"{MONITOR}    alert: {{severity: zzz}}", "'page', 'ticket' or 'info'"),
    ],
)
def test_a_misspelt_choice_is_told_the_nearest_beside_all_there_are(text: str, end: str) -> None:
    (mistake,) = mistakes(text)
    assert "Input should be " in mistake and mistake.endswith(end)


@pytest.mark.parametrize("written", ["5x", "5", "1h 5m", "-3s", "true", "''", "1.5h", "99999999999999999999w"])
def test_a_bad_duration_is_an_error_not_a_guess(written: str) -> None:
    (mistake,) = mistakes(monitor_with("every: 5m", f"every: {written}"))
    assert mistake.startswith("here.yaml:5: monitors.0.window.every: ")


def test_every_mistake_is_told_at_once() -> None:
    assert len(mistakes("modls: {}\nlimits: {body_bytes: 1}\ntaps: [{name: a}]")) == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("models:\n  a: {}\n  a: {}\n", 3),
        ("models: {}\nauto: true\nmodels: {}\n", 3),
        ("taps:\n  - name: a\n    upstream: 'http://x'\n    name: b\n", 4),
    ],
)
def test_a_key_that_is_there_twice_is_an_error(text: str, line: int) -> None:
    (mistake,) = mistakes(text)
    assert mistake.startswith(f"here.yaml:{line}: the key ")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("taps:\n  - &a {name: a, upstream: 'http://x'}\n  - *a\n", "here.yaml:1: taps: two are named 'a'"),
        (f"{MONITOR}  - {MONITOR[14:].lstrip()}", "here.yaml:1: monitors: two are named 'm'"),
        ("models: {a: {namespace: x}, x/a: {}}", "here.yaml:1: models: two are named 'x/a'"),
        (
            monitor_with("use: ks}", "use: ks}, {name: drift, use: psi}"),
            "here.yaml:6: monitors.0.steps: two steps are named 'drift'",
        ),
    ],
)
def test_two_things_of_one_name_are_an_error(text: str, mistake: str) -> None:
    assert mistakes(text) == [mistake]


@pytest.mark.parametrize("after", ["later.fired", "why.fired", "nobody.fired"])
def test_a_step_runs_only_after_one_before_it(after: str) -> None:
    steps = f"[{{name: drift, use: ks}}, {{name: why, use: shapley, after: {after}}}, {{name: later, use: psi}}]"
    (mistake,) = mistakes(monitor_with("[{name: drift, use: ks}]", steps))
    assert "here.yaml:6: monitors.0.steps: step 'why' runs after" in mistake
    assert "['drift']" in mistake


@pytest.mark.parametrize("text", ["a: b: c", "models: [", "a: 1\n\tb: 2", "a: \x00", "x: !!python/object:os.system {}"])
def test_a_file_that_is_not_yaml_is_one_line_that_says_where(text: str) -> None:
    (mistake,) = mistakes(text)
    assert mistake.startswith(("here.yaml:1: not YAML: ", "here.yaml:2: not YAML: "))


def test_an_alias_that_leads_back_to_itself_is_an_error_like_any_other() -> None:
    assert mistakes("models: &a {x: *a}") == [
        "here.yaml:1: unknown key 'models.x.x'; there are: endpoint, fields, names, namespace, sample"
    ]


def test_without_a_file_all_is_default_but_a_named_one_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load() == Config()
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load(Path("nowhere.yaml"))
    Path("tidemark.yaml").write_text("auto: false")
    assert load().auto is False


def test_a_file_that_is_not_utf8_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("models: {café: {}}".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml: cannot be read"):
        load(tmp_path / "latin.yaml")


def test_a_monitor_watches_its_model_in_the_namespace_declared_for_it() -> None:
    steps = "steps: [{name: d, use: ks}]"
    monitors = "\n".join(
        f"  - {{name: {name}, model: {model}, reference: {{first_rows: 9}}, window: {{rows: 9}}, {steps}}}"
        for name, model in (("a", "fraud"), ("b", "income"), ("c", "team-b/churn"))
    )
    declared = parse(f"models: {{fraud: {{namespace: team-a}}}}\nmonitors:\n{monitors}\n")
    assert [monitor.model for monitor in declared.watched] == ["team-a/fraud", "income", "team-b/churn"]


@pytest.mark.parametrize("rate", ["1", "1/moon", "0/month", "-1/month", "1/0 windows", "1 / month", "1e3/day"])
def test_a_rate_of_false_alarms_that_is_none_is_refused(rate: str) -> None:
    (mistake,) = mistakes(f"{MONITOR}    false_alarms: {rate}\n")
    said = f"'{rate}' is not a rate such as 1/month, 2/week, 0.5/year or 1/100 windows"
    assert mistake == f"here.yaml:7: monitors.0.false_alarms: {said}"


def test_a_season_must_fit_the_windows() -> None:
    season = monitor_with("{dataset: adult}", "{same: hour_of_day, over: 4w}")
    assert "goes with windows of time" in mistakes(season.replace("{every: 5m}", "{rows: 9}"))[0]
    assert "longer than the season of 1d" in mistakes(season.replace("{every: 5m}", "{every: 2d}"))[0]
    assert "'over' must be at least 2w" in mistakes(season.replace("hour_of_day, over: 4w", "day_of_week, over: 8d"))[0]
