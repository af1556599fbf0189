"""What compose mounts into Prometheus, Alertmanager, ClickHouse and Grafana; promtool and amtool read their own."""

import re
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest
import yaml
from deploy_files import DEPLOY, OWN, ROOT, SERVICES, TEXT, read

import alerts
from alerts.delivery import JOB
from core.config import load
from dashboards import DASHBOARDS
from detectors import DETECTORS


def test_the_example_configuration_is_valid_and_uses_detectors_that_exist() -> None:
    config = load(DEPLOY / "tidemark.yaml")
    assert [step.use for monitor in config.monitors for step in monitor.steps if step.use not in DETECTORS] == []
    assert {f"/tap/{tap.name}/" for tap in config.taps} >= set(re.findall(r"/tap/\w+/", TEXT))


def test_the_committed_alerts_are_those_of_the_example_configuration(tmp_path: Path) -> None:
    webhook = {"TIDEMARK_ALERT_WEBHOOK": "http://host.docker.internal:9095/"}
    for file in alerts.render(load(DEPLOY / "tidemark.yaml"), tmp_path, webhook):
        assert (DEPLOY / "alerts" / file.name).read_text() == file.read_text(), "render them again: deploy/README.md"


def test_prometheus_scrapes_every_serving_role_under_the_job_its_rules_know(tmp_path: Path) -> None:
    config = read("prometheus/prometheus.yaml")
    (scrape,) = config["scrape_configs"]
    assert scrape["job_name"] == JOB
    assert scrape["static_configs"][0]["targets"] == [f"{name}:8080" for name in OWN if name != "migrate"]
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"][0]["targets"] == ["alertmanager:9093"]

    for file in ("prometheus/prometheus.yaml", "alerts/rules.yaml"):  # side by side, as they are mounted
        shutil.copy(DEPLOY / file, tmp_path)
    command = [binary("promtool"), "check", "config", str(tmp_path / "prometheus.yaml")]
    check = subprocess.run(command, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


def test_prometheus_takes_the_token_as_the_readme_says(tmp_path: Path) -> None:
    said = [yaml.safe_load(dedent(b)) for b in re.findall(r"^ *```yaml\n(.*?)^ *```", TEXT, re.M | re.S)]
    (shown,) = [block["scrape_configs"][0] for block in said if "scrape_configs" in block]
    config = read("prometheus/prometheus.yaml") | {"rule_files": []}
    assert shown["job_name"] == config["scrape_configs"][0]["job_name"]
    token = tmp_path / Path(shown["authorization"]["credentials_file"]).name
    token.write_text("tidemark_token")
    config["scrape_configs"][0]["authorization"] = {"credentials_file": str(token)}
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    check = subprocess.run([binary("promtool"), "check", "config", str(file)], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


def test_alertmanager_accepts_its_configuration() -> None:
    command = [binary("amtool"), "check-config", str(DEPLOY / "alerts/alertmanager.yaml")]
    check = subprocess.run(command, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


def test_grafanas_data_sources_are_services_of_the_compose_file_and_the_dashboards_kinds() -> None:
    clickhouse, prometheus = read("grafana/datasources.yaml")["datasources"]
    assert clickhouse["jsonData"]["host"] in SERVICES
    assert prometheus["url"] == "http://prometheus:9090"
    dashboard = (ROOT / "dashboards/model_monitoring.json").read_text()
    assert f'"type": "{clickhouse["type"]}"' in dashboard
    assert f'"type": "{prometheus["type"]}"' in dashboard
    password = clickhouse["secureJsonData"]["password"]
    assert password.removeprefix("$") in SERVICES["grafana"]["environment"]


def test_grafanas_user_of_the_store_may_only_read_tidemarks_tables() -> None:
    users = ElementTree.parse(DEPLOY / "clickhouse/grafana-user.xml")
    clickhouse, _ = read("grafana/datasources.yaml")["datasources"]
    user = users.find(f"users/{clickhouse['jsonData']['username']}")
    assert user is not None
    assert [grant.text for grant in user.iterfind("grants/query")] == ["GRANT SELECT ON tidemark.*"]
    assert users.findtext(f"profiles/{user.findtext('profile')}/readonly") == "2"
    password = user.find("password")
    assert password is not None
    assert password.get("from_env") in SERVICES["clickhouse"]["environment"]


def test_the_provider_reads_the_folder_into_which_the_dashboards_are_mounted() -> None:
    (provider,) = read("grafana/dashboards.yaml")["providers"]
    mounted = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert {f"{provider['options']['path']}/{name}.json" for name in DASHBOARDS} <= set(mounted)


def binary(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not installed: tests/system-packages.sh installs it")
