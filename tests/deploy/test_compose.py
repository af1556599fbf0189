"""Whatever the compose file, the image and the README name exists: in the code, beside them, or in their format."""

import re
import subprocess
import sys
import tomllib

import pytest
from deploy_files import COMPOSE, DEPLOY, OWN, ROOT, SERVICES, TEXT, read

from core.metrics import Metrics

_ROOMS = ("tidemark", "alerts", "dashboards")
SOURCE = "\n".join(path.read_text("utf-8") for room in _ROOMS for path in (ROOT / room).rglob("*.py"))


def test_compose_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"]
    check = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("name", OWN)
def test_each_command_is_one_that_tidemark_takes(name: str) -> None:
    from tidemark.cli import parser

    arguments = parser().parse_args(OWN[name]["command"])
    mounted = [volume.split(":")[1] for volume in OWN[name]["volumes"]]
    assert str(arguments.config) in mounted
    if published := OWN[name].get("ports"):
        assert [port.rpartition(":")[2] for port in published] == [str(arguments.port)]


def test_the_commands_of_the_readme_are_ones_that_tidemark_takes() -> None:
    from tidemark.cli import parser

    commands = re.findall(r"tidemark ((?:check|alerts|dashboards) [^`\n,]+)", (DEPLOY / "README.md").read_text())
    assert len(commands) == 4
    for command in commands:
        parser().parse_args(command.split())


def test_every_image_is_pinned_to_a_version() -> None:
    assert [s["image"] for s in SERVICES.values() if not re.search(r":v?\d+\.\d+(\.\d+)*$", s["image"])] == []


def test_every_service_that_stays_has_a_health_check_and_starts_again() -> None:
    staying = {name: service for name, service in SERVICES.items() if name != "migrate"}
    assert [name for name, s in staying.items() if "healthcheck" not in s or s["restart"] != "unless-stopped"] == []


def test_everything_mounted_is_a_file_here_or_a_declared_volume() -> None:
    sources = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert [s for s in sources if not (DEPLOY / s).exists() and s not in COMPOSE["volumes"]] == []


def test_each_variable_compose_reads_is_in_the_example_and_the_other_way_round() -> None:
    read_by_compose = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert read_by_compose == set(re.findall(r"^(\w+)=", (DEPLOY / ".env.example").read_text(), re.M))


def test_no_password_is_written_down() -> None:
    assert re.findall(r"^(\w*PASSWORD)=.+", (DEPLOY / ".env.example").read_text(), re.M) == []
    assert re.findall(r"PASSWORD: (?!\$\{)", (DEPLOY / "compose.yaml").read_text()) == []


def test_every_variable_of_tidemarks_own_is_read_by_the_code() -> None:
    named = set(re.findall(r"\b(?:TIDEMARK|GRAFANA)_(?:STORE|TOKEN|ALERT\w+|RUNBOOK\w+)\b", TEXT))
    assert named == {"TIDEMARK_STORE", "TIDEMARK_ALERT_WEBHOOK", "TIDEMARK_RUNBOOK_URL", "GRAFANA_TOKEN"}
    assert set(re.findall(r"\bTIDEMARK_\w+", TEXT)) <= named
    assert [name for name in named if name not in SOURCE] == []


def test_every_path_asked_of_tidemark_is_one_it_answers() -> None:
    asked = {read("prometheus/prometheus.yaml")["scrape_configs"][0]["metrics_path"]}
    asked |= set(re.findall(r"127\.0\.0\.1:8080(/\w+)", TEXT))
    answered = set(re.findall(r"""["'](/\w+)["']""", SOURCE))
    assert {"/metrics", "/readyz", "/docs"} <= asked
    assert asked - {"/docs"} <= answered


def test_every_metric_named_is_one_that_tidemark_exports() -> None:
    exported = {family.name for family in Metrics().registry.collect()}
    named = set(re.findall(r"\btidemark_[a-z_]+", TEXT))
    assert named
    assert {name.removesuffix("_total") for name in named} <= exported


def test_the_image_installs_what_the_project_declares_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"'\.\[([\w,]+)\]'", text)[0].split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    assert "--constraint constraints.txt" in text
    assert (ROOT / "constraints.txt").exists()
    assert re.findall(r'^ENTRYPOINT \["(\w+)"\]$', text, re.M) == [*project["scripts"]]
    assert re.findall(r"^USER (\w+)$", text, re.M) == ["10001"]
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"python:3.11-slim"}


def test_the_build_leaves_out_nothing_that_it_needs() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    needed = {package.partition(".")[0] for package in packages} | {"README.md", "LICENSE", "constraints.txt"}
    assert needed & set(ignored) == set()
