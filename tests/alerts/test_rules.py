import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import alerts
from core.config import Config, parse
from core.metrics import Metrics

CONFIG = parse("""
models:
  fraud: {namespace: team-a}
monitors:
  - name: income-drift
    model: income
    reference: {dataset: train}
    window: {every: 5m, over: 1h}
    steps:
      - {name: drift, use: ks}
      - {name: outliers, use: isolation_forest}
    alert: {severity: page, for: 10m}
  - name: fraud.rows
    model: fraud
    reference: {first_rows: 1000}
    window: {rows: 100}
    steps: [{name: drift, use: psi}]
""")


def by_name(config: Config) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    groups: Any = alerts.rules(config)["groups"]
    for group in groups:
        for rule in group["rules"]:
            found.setdefault(rule["alert"], []).append(rule)
    return found


def test_a_monitors_findings_alert_at_its_severity_after_its_for() -> None:
    drift = next(r for r in by_name(CONFIG)["TidemarkDrift"] if r["labels"].get("monitor") == "income-drift")
    assert drift["labels"]["severity"] == "page"
    assert drift["for"] == "10m"


def test_a_monitor_without_an_outlier_step_has_no_outlier_rule() -> None:
    assert [rule["labels"]["monitor"] for rule in by_name(CONFIG)["TidemarkOutliers"]] == ["income-drift"]


def test_silence_is_three_windows_and_the_settling_time_but_never_under_five_minutes() -> None:
    quick = CONFIG.monitors[0].model_copy(
        update={"window": parse(WINDOW_OF_TEN_SECONDS).monitors[0].window, "name": "quick"}
    )
    rules = by_name(CONFIG.model_copy(update={"monitors": (CONFIG.monitors[0], quick)}))["TidemarkMonitorSilent"]
    assert [rule["expr"].rpartition("> ")[2] for rule in rules] == ["930", "330"]


WINDOW_OF_TEN_SECONDS = """
monitors:
  - {name: m, model: m, reference: {dataset: d}, window: {every: 10s}, steps: [{name: s, use: ks}]}
"""


def test_without_automatic_monitors_there_is_no_rule_for_them() -> None:
    without = by_name(CONFIG.model_copy(update={"auto": False}))["TidemarkDrift"]
    assert [rule["labels"]["monitor"] for rule in without] == ["income-drift", "fraud.rows"]


def test_every_metric_and_label_in_a_rule_is_one_that_tidemark_exports() -> None:
    known = exported()
    for rules in by_name(CONFIG).values():
        for rule in rules:
            for name, labels in re.findall(r"(tidemark_\w+)(?:\{([^}]*)\})?", rule["expr"]):
                assert name in known
                assert set(re.findall(r"(\w+)(?:=|!)", re.sub(r'"[^"]*"', "", labels))) <= known[name], rule["alert"]


def exported() -> dict[str, set[str]]:
    """The labels of each series that Prometheus would keep, by its name, once everything has happened once."""
    metrics = Metrics()
    for metric in vars(metrics).values():
        if names := getattr(metric, "_labelnames", ()):
            metric.labels(*names)
    metrics.inference_latency.observe_many(("default", "income", "1"), np.ones(1))
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    return {sample.name: set(sample.labels) | {"job", "instance"} for sample in samples}


def test_each_rule_has_a_runbook_entry_and_each_entry_a_rule() -> None:
    text = Path(alerts.__file__).with_name("runbook.md").read_text("utf-8")
    entries = re.findall(r"^## (\w+)$", text, re.M)
    assert sorted(entries) == sorted(by_name(CONFIG))
    for entry in re.split(r"^## ", text, flags=re.M)[1:]:
        assert [part for part in ("What it means.", "Look first.", "```sh", "Silence.") if part not in entry] == []


def test_each_rule_links_to_its_entry_where_the_readers_runbook_lies() -> None:
    rules: Any = alerts.rules(CONFIG, "https://wiki.example/runbook")["groups"]
    for rule in (rule for group in rules for rule in group["rules"]):
        assert rule["annotations"]["runbook_url"] == f"https://wiki.example/runbook#{rule['alert'].lower()}"


def test_promtool_accepts_the_rules(tmp_path: Path, binary: Any) -> None:
    alerts.render(CONFIG, tmp_path, {})
    check = subprocess.run(
        [binary("promtool"), "check", "rules", tmp_path / "rules.yaml"], capture_output=True, text=True
    )
    assert check.returncode == 0, check.stderr
    assert "duplicate" not in check.stdout


@pytest.mark.parametrize("severity", ["page", "ticket", "info"])
def test_amtool_accepts_the_routes_and_sends_each_severity_to_the_webhook(
    severity: str, tmp_path: Path, binary: Any
) -> None:
    _, file = alerts.render(CONFIG, tmp_path, {"TIDEMARK_ALERT_WEBHOOK": "http://hook.example/alerts"})
    check = subprocess.run([binary("amtool"), "check-config", file], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    route = subprocess.run(
        [binary("amtool"), "config", "routes", "test", f"--config.file={file}", f"severity={severity}"],
        capture_output=True,
        text=True,
    )
    assert route.stdout.strip() == "webhook"
    assert yaml.safe_load(file.read_text())["receivers"][0]["webhook_configs"][0]["url"] == "http://hook.example/alerts"


def test_a_severity_no_monitor_uses_has_no_route() -> None:
    routes = yaml.safe_load(alerts.alertmanager(CONFIG))["route"]["routes"]
    assert [route["matchers"] for route in routes] == [['severity="page"'], ['severity="ticket"']]
