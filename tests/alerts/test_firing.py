"""Each rule on series that must fire and series that must not, by `promtool test rules`."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import alerts
from core.config import parse

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
FINDING = 'namespace="default",model="income",version="1",monitor="income-drift",segment=""'
MODEL = 'namespace="default",model="income"'
FRAUD = 'namespace="team-a",model="fraud"'
RUNS = f'tidemark_runs_total{{{FRAUD},monitor="fraud.rows",status="done"}}'
LAST_RUN = f'tidemark_last_run_timestamp_seconds{{{MODEL},monitor="income-drift"}}'
LAST_RECEIVED = f"tidemark_last_received_timestamp_seconds{{{MODEL}}}"
SEEN = {LAST_RUN: "0+60x2000"}  # keeps TidemarkMonitorMissing quiet where it is not the subject
LOG_BYTES, LOG_LIMIT = 'tidemark_log_bytes{instance="a"}', 'tidemark_log_limit_bytes{instance="a"}'
STORED = f"tidemark_predictions_stored_total{{{FRAUD}}}"

# alert, minutes until looked, series at one-minute steps, whether it fires
CASES: list[tuple[str, int, dict[str, str], bool]] = [
    ("TidemarkDrift", 20, {f'tidemark_fired{{{FINDING},step="drift",field="age"}}': "0x4 1x30"}, True),
    ("TidemarkDrift", 10, {f'tidemark_fired{{{FINDING},step="drift",field="age"}}': "0x4 1x30"}, False),
    ("TidemarkDrift", 20, {f'tidemark_fired{{{FINDING},step="drift",field="age"}}': "0x30"}, False),
    ("TidemarkDrift", 20, {f'tidemark_fired{{{FINDING},step="outliers",field=""}}': "1x30"}, False),
    ("TidemarkDrift", 1, {'tidemark_fired{monitor="by-itself",model="new",step="ks",field="x"}': "1x5"}, True),
    (
        "TidemarkOutliers",
        12,
        {
            f'tidemark_fired{{{FINDING},step="outliers",field=""}}': "1x30",
            f'tidemark_score{{{FINDING},step="outliers",field=""}}': "0.2x30",
        },
        True,
    ),
    (
        "TidemarkOutliers",
        12,
        {
            f'tidemark_fired{{{FINDING},step="outliers",field=""}}': "0x30",
            f'tidemark_score{{{FINDING},step="outliers",field=""}}': "0.01x30",
        },
        False,
    ),
    ("TidemarkMonitorSilent", 30, {LAST_RUN: "0+60x10 600x30"}, True),
    ("TidemarkMonitorSilent", 30, {LAST_RUN: "0+60x40"}, False),
    ("TidemarkMonitorSilent", 80, {STORED: "0+10x90"}, True),
    ("TidemarkMonitorSilent", 80, {STORED: "0+10x90", RUNS: "0+1x90"}, False),
    (
        "TidemarkMonitorSilent",
        80,
        {STORED: "0+10x90", RUNS: "_x50 1x50"},
        False,
    ),
    ("TidemarkMonitorSilent", 80, {STORED: "0+1x90"}, False),
    ("TidemarkMonitorSilent", 600, {STORED: "0+1x700"}, True),
    ("TidemarkMonitorMissing", 20, {"up": "1x30"}, True),
    ("TidemarkMonitorMissing", 20, {LAST_RUN: "0+60x30"}, False),
    ("TidemarkDown", 5, {'up{job="tidemark",instance="collect:8080"}': "1x2 0x10"}, True),
    ("TidemarkDown", 5, {'up{job="tidemark",instance="collect:8080"}': "1x10", 'up{job="node"}': "0x10"}, False),
    (
        "TidemarkIngestStopped",
        220,
        {LAST_RECEIVED: "0+60x200 12000x50", f"tidemark_predictions_stored_total{{{MODEL}}}": "0+60x200 12000x50"},
        True,
    ),
    (
        "TidemarkIngestStopped",
        220,
        {LAST_RECEIVED: "0+60x200 _x50", f"tidemark_predictions_stored_total{{{MODEL}}}": "0+60x200 _x50"},
        True,
    ),
    (
        "TidemarkIngestStopped",
        220,
        {LAST_RECEIVED: "0+60x250", f"tidemark_predictions_stored_total{{{MODEL}}}": "0+60x250"},
        False,
    ),
    (
        "TidemarkIngestStopped",
        220,
        {LAST_RECEIVED: "0+60x200 12000x50", f"tidemark_predictions_stored_total{{{MODEL}}}": "0+1x200 200x50"},
        False,
    ),
    ("TidemarkStoreBehind", 5, {'tidemark_ingest_lag_seconds{instance="a"}': "5+20x10"}, True),
    ("TidemarkStoreBehind", 5, {'tidemark_ingest_lag_seconds{instance="a"}': "0.2x3 45 0.3x10"}, False),
    ("TidemarkLogFilling", 15, {LOG_BYTES: "100x5 900x20", LOG_LIMIT: "1000x30"}, True),
    ("TidemarkLogFilling", 12, {LOG_BYTES: "100x5 900x3 100x20", LOG_LIMIT: "1000x30"}, False),
    ("TidemarkLogFilling", 15, {LOG_BYTES: "500x30", LOG_LIMIT: "1000x30"}, False),
    ("TidemarkLogDamaged", 5, {'tidemark_log_damaged_bytes{instance="a"}': "0x3 4096x10"}, True),
    ("TidemarkLogDamaged", 5, {'tidemark_log_damaged_bytes{instance="a"}': "0x10"}, False),
    ("TidemarkLogDamaged", 9, {'tidemark_log_damaged_bytes{instance="a"}': "4096x5 0x10"}, False),
    ("TidemarkLedgerDifference", 6, {'tidemark_ledger_difference{instance="a",unit="row"}': "0x3 2x10"}, True),
    ("TidemarkLedgerDifference", 6, {'tidemark_ledger_difference{instance="a",unit="row"}': "0x3 2 0x10"}, False),
    ("TidemarkLedgerDifference", 6, {'tidemark_ledger_difference{instance="a",unit="event"}': "0x10"}, False),
    ("TidemarkCallsRefused", 15, {'tidemark_refused_calls_total{reason="no_token"}': "_x12 50x10"}, True),
    ("TidemarkCallsRefused", 15, {'tidemark_refused_calls_total{reason="no_token"}': "0x10 4x10"}, False),
    ("TidemarkEventsShed", 8, {'tidemark_events_total{tap="income",outcome="shed"}': "_x5 3x10"}, True),
    ("TidemarkEventsShed", 8, {'tidemark_events_total{tap="income",outcome="accepted"}': "0+9x10"}, False),
    ("TidemarkEventsShed", 20, {'tidemark_events_total{tap="income",outcome="shed"}': "0 3x30"}, False),
    ("TidemarkDeadLetters", 15, {'tidemark_dead_letters_total{reason="json"}': "7x10 7+5x10"}, True),
    ("TidemarkDeadLetters", 15, {'tidemark_dead_letters_total{reason="json"}': "_x12 50x10"}, True),
    ("TidemarkDeadLetters", 15, {'tidemark_dead_letters_total{reason="json"}': "700x30"}, False),
    ("TidemarkRunsFailing", 90, {f'tidemark_runs_total{{{MODEL},monitor="m",status="failed"}}': "0x60 1x60"}, True),
    ("TidemarkRunsFailing", 90, {f'tidemark_runs_total{{{MODEL},monitor="m",status="done"}}': "0+1x100"}, False),
]


def test_every_rule_has_a_case_that_fires_and_one_that_does_not() -> None:
    groups: Any = alerts.rules(CONFIG)["groups"]
    names = {rule["alert"] for group in groups for rule in group["rules"]}
    assert {alert for alert, _, _, fires in CASES if fires} == names
    assert {alert for alert, _, _, fires in CASES if not fires} == names


def test_each_rule_fires_on_what_it_is_for_and_on_nothing_else(tmp_path: Path, binary: Callable[[str], str]) -> None:
    alerts.render(CONFIG, tmp_path, {})
    tests = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [_case(f"{number}", *case) for number, case in enumerate(CASES)],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests))
    run = subprocess.run([binary("promtool"), "test", "rules", file], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def _case(name: str, alert: str, minutes: int, series: dict[str, str], fires: bool) -> dict[str, object]:
    firing = f'count by (alertname) (ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0'
    return {
        "name": f"{name} {alert}",
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "promql_expr_test": [
            {
                "expr": firing,
                "eval_time": f"{minutes}m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if fires else [],
            }
        ],
    }


def test_the_message_names_the_fields_with_the_highest_scores(tmp_path: Path, binary: Callable[[str], str]) -> None:
    alerts.render(CONFIG, tmp_path, {})
    labels = {"namespace": "default", "model": "income", "version": "1", "monitor": "income-drift"}
    series = {
        f'tidemark_{gauge}{{{FINDING},step="drift",field="{field}"}}': f"{value}x20"
        for field, score, fired in (("age", 0.41, 1), ("hours", 0.52, 1), ("sex", 0.9, 0))
        for gauge, value in (("score", score), ("fired", fired))
    }
    case = {
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in (series | SEEN).items()],
        "alert_rule_test": [
            {
                "alertname": "TidemarkDrift",
                "eval_time": "15m",
                "exp_alerts": [{"exp_labels": labels | {"severity": "page"}, "exp_annotations": ANNOTATIONS}],
            }
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [case]}))
    run = subprocess.run([binary("promtool"), "test", "rules", file], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


ANNOTATIONS = {
    "summary": "2 field(s) of default/income drifted",
    "description": "Monitor income-drift finds its newest window unlike its reference; "
    "highest scores: hours 0.52 age 0.41.",
    "runbook_url": "alerts/runbook.md#tidemarkdrift",
}
