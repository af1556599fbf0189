"""Every metric is declared in one place, and says its unit, its labels and what it means."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from core.metrics import LATENCY_BUCKETS, Metrics

ROOT = Path(__file__).parents[2]
ROOMS = ("alerts", "collectors", "core", "dashboards", "detectors", "explainers", "pipelines", "storage", "tidemark")
FINDING = {"namespace", "model", "version", "monitor", "step", "field", "segment"}

# What dashboards, rules and the design name: a change here breaks what users have built.
PROMISED = {
    "tidemark_events_total": {"tap", "outcome"},
    "tidemark_predictions_stored_total": {"namespace", "model"},
    "tidemark_dead_letters_total": {"reason"},
    "tidemark_ingest_lag_seconds": set(),
    "tidemark_ledger_difference": {"unit"},
    "tidemark_tap_logged_seconds": {"tap"},
    "tidemark_inference_total": {"namespace", "model", "version", "status"},
    "tidemark_inference_latency_seconds": {"namespace", "model", "version"},
    "tidemark_score": FINDING,
    "tidemark_threshold": FINDING,
    "tidemark_fired": FINDING,
}


def used() -> Metrics:
    """Metrics with one series in every family; a label's value is its own name."""
    metrics = Metrics()
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            series: Any = metric.labels(*metric._labelnames) if metric._labelnames else metric
            series.observe(0.01) if isinstance(metric, Histogram) else series.inc()
    metrics.inference_latency.observe_many(("default", "income", "1"), np.array([0.001, 0.2, 60.0]))
    return metrics


def labels_by_name() -> dict[str, set[str]]:
    """Each exported metric with its labels, under the name it is queried by."""
    found = {}
    for family in text_string_to_metric_families(generate_latest(used().registry).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = {label for s in family.samples for label in s.labels if label != "le"}
    return found


def test_the_promised_metrics_are_there_with_the_promised_labels() -> None:
    found = labels_by_name()
    assert {name: found.get(name) for name in PROMISED} == PROMISED


def test_what_is_of_a_model_carries_its_namespace_too() -> None:
    assert all("namespace" in labels for labels in labels_by_name().values() if "model" in labels)


def test_every_metric_is_tidemarks_and_explains_itself() -> None:
    families = list(used().registry.collect())
    assert all(family.name.startswith("tidemark_") for family in families)
    assert all(family.documentation.endswith(".") for family in families)
    assert len({family.documentation for family in families}) == len(families)


def test_promtool_finds_nothing_to_complain_of() -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("no promtool; the Debian package prometheus has it")
    page = generate_latest(used().registry)
    checked = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr.decode()) == (0, "")


def test_no_other_file_declares_a_metric() -> None:
    declaring = re.compile(r"\b(Counter|Gauge|Histogram|Summary|Info|Enum|MetricFamily)\b")
    others = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.name != "metrics.py"]
    imports = re.compile(r"^from prometheus_client[\w.]* import ([^(\n]+|\([^)]+\))", re.MULTILINE)
    found = [p for p in others for names in imports.findall(p.read_text()) if declaring.search(names)]
    assert others
    assert found == []


def test_two_sets_of_metrics_do_not_share_a_series() -> None:
    one, other = Metrics(), Metrics()
    one.dead_letters.labels("not_json").inc()
    assert one.registry.get_sample_value("tidemark_dead_letters_total", {"reason": "not_json"}) == 1
    assert other.registry.get_sample_value("tidemark_dead_letters_total", {"reason": "not_json"}) is None


def test_a_batch_of_latencies_counts_each_in_every_bucket_at_and_above_it() -> None:
    metrics = used()
    labels = {"namespace": "default", "model": "income", "version": "1"}
    metrics.inference_latency.observe_many(("default", "income", "1"), np.array([0.2, 0.3]))

    def sample(suffix: str, **more: str) -> float | None:
        return metrics.registry.get_sample_value(f"tidemark_inference_latency_seconds_{suffix}", labels | more)

    counts = [sample("bucket", le=str(bound)) for bound in LATENCY_BUCKETS]
    assert counts == [sum(latency <= bound for latency in (0.001, 0.2, 60.0, 0.2, 0.3)) for bound in LATENCY_BUCKETS]
    assert sample("bucket", le="+Inf") == sample("count") == 5
    assert sample("sum") == pytest.approx(60.701)
