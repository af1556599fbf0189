"""What Grafana and Prometheus would have to say about the rendered dashboard."""

import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import dashboards
from core.metrics import Metrics
from dashboards.publish import as_json, render

BOARD = as_json("model_monitoring")
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
PROMQL = [
    target["expr"] for panel in PANELS for target in panel["targets"] if target["datasource"]["type"] == "prometheus"
]


@pytest.mark.parametrize("name", dashboards.DASHBOARDS)
def test_the_committed_json_is_what_the_code_renders(name: str, tmp_path: Path) -> None:
    render(tmp_path)
    committed = Path(dashboards.__file__).with_name(f"{name}.json")
    assert committed.read_text("utf-8") == (tmp_path / f"{name}.json").read_text("utf-8"), (
        "run: tidemark dashboards render dashboards"
    )


def test_no_two_panels_overlap_and_none_sticks_out() -> None:
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    assert max(p["x"] + p["w"] for p in places) <= 24
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]


def test_every_panel_has_an_id_of_its_own_a_title_and_says_what_it_means() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert [panel["title"] for panel in PANELS if not panel["description"].endswith(".")] == []


def test_every_graph_and_number_has_a_unit() -> None:
    units = {p["fieldConfig"]["defaults"].get("unit") for p in PANELS if p["type"] != "table"}
    assert units == {"s", "reqps", "percentunit", "short", "bytes"}


def test_every_query_goes_to_a_data_source_that_the_reader_chooses() -> None:
    chosen = {(v["query"], f"${{{v['name']}}}") for v in BOARD["templating"]["list"] if v["type"] == "datasource"}
    asked = [panel["datasource"] for panel in PANELS]
    asked += [target["datasource"] for panel in PANELS for target in panel["targets"]]
    asked += [v["datasource"] for v in BOARD["templating"]["list"] if v["type"] == "query"]
    assert {(source["type"], source["uid"]) for source in asked} == chosen


def test_no_variable_carries_the_keys_of_another_kind() -> None:
    assert not [key for variable in BOARD["templating"]["list"] for key in variable if key.startswith("auto")]


def test_every_metric_and_label_asked_for_is_one_that_tidemark_exports() -> None:
    known = exported()
    for expression in PROMQL:
        metrics = re.findall(r"tidemark_\w+", expression)
        labels = re.findall(r"(?:[{,])(\w+)(?:=|!)", expression)
        labels += [name for group in re.findall(r"by \(([^)]*)\)", expression) for name in group.split(", ")]
        assert metrics
        assert all(set(labels) <= known[metric] for metric in metrics), expression


def test_prometheus_can_parse_every_expression(tmp_path: Path) -> None:
    promtool = shutil.which("promtool") or pytest.skip("promtool is not installed: tests/system-packages.sh does it")
    plain = [re.sub(r"\$(namespace|model|monitor)", "x", e.replace("$__rate_interval", "5m")) for e in PROMQL]
    assert not [expression for expression in plain if "$" in expression]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(plain)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    check = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr


def exported() -> dict[str, set[str]]:
    """The labels of each series that Prometheus would keep, by its name, once everything has happened once."""
    metrics = Metrics()
    for metric in vars(metrics).values():
        if names := getattr(metric, "_labelnames", ()):
            metric.labels(*names)
    metrics.inference_latency.observe_many(("default", "income", "1"), np.ones(1))
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    return {sample.name: set(sample.labels) | {"job", "instance"} for sample in samples}
