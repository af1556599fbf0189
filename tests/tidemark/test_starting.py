"""What stops `tidemark up` from starting is said in one line each; what may still mend itself is only logged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from up_process import Tidemark, Up, up

from tidemark.demo.processes import free_port

MONITOR = """
  - name: {name}
    model: {model}
    reference: {reference}
    window: {{rows: 100}}
    steps: [{{name: s, use: {use}}}]
"""


def monitor(name: str, model: str = "m", reference: str = "{first_rows: 100}", use: str = "ks") -> str:
    return MONITOR.format(name=name, model=model, reference=reference, use=use)


def start(store: str, config: Path | None = None, *more: str, role: str = "up") -> subprocess.CompletedProcess[str]:
    """`tidemark up`, or another role, that is to end by itself."""
    options = ["--store", store, *(["--config", str(config)] if config else []), *more]
    ports = [] if "--port" in more else ["--port", str(free_port())]
    command = [sys.executable, "-m", "tidemark.cli", role, *options, *ports]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_a_second_one_on_the_folder_says_in_one_line_who_holds_it(served: Up) -> None:
    done = start(served.store)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert line.startswith(f"tidemark: {served.store} is held by process {served.process.pid} (")
    assert f"answers at {served.url}/clickhouse" in line and line.endswith("stop it first")


def test_a_taken_port_is_one_line(served: Up, tmp_path: Path) -> None:
    port = served.url.rpartition(":")[2]
    done = start(f"chdb://{tmp_path / 'store'}", None, "--port", port)
    assert (done.returncode, done.stderr) == (
        1,
        f"tidemark: cannot listen on 127.0.0.1:{port}: Address already in use; try --port\n",
    )
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "99999"], "cannot listen on 127.0.0.1:99999: "),
        (["--host", "256.256.256.256"], "cannot listen on 256.256.256.256:"),
        (["--store", "chdb:///proc/nowhere"], "/proc/nowhere"),
        (["--store", "postgres://x"], "this command wants chdb://DIR"),
        (["--config", "/nowhere.yaml"], "/nowhere.yaml: cannot be read"),
    ],
)
def test_a_wrong_option_is_one_line(tmp_path: Path, options: list[str], said: str) -> None:
    done = start(f"chdb://{tmp_path / 'store'}", None, *options)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
    assert done.stderr.startswith("tidemark: ") and said in done.stderr


@pytest.mark.parametrize("role", ["collect", "pipeline"])
def test_roles_that_share_a_store_name_the_command_that_serves_one(tmp_path: Path, role: str) -> None:
    done = start(f"chdb://{tmp_path / 'store'}", role=role)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "start `tidemark serve-store" in done.stderr


def test_every_mistake_in_the_configuration_is_a_line_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "tidemark.yaml"
    config.write_text("tapz: []\nmonitors:\n  - nam: x\nretention: {predictions: 0}\n")
    done = start(f"chdb://{tmp_path / 'store'}", config)
    lines = done.stderr.removeprefix("tidemark: ").splitlines()
    assert done.returncode == 1
    assert all(line.startswith(f"{config}:") for line in lines)
    assert f"{config}:1: unknown key 'tapz'; did you mean 'taps'?" in lines
    assert any("retention.predictions" in line for line in lines) and any("monitors.0.nam" in line for line in lines)
    assert not (tmp_path / "store").exists()


def test_an_unknown_detector_data_set_or_retention_refuses_to_start(tmp_path: Path) -> None:
    config = tmp_path / "tidemark.yaml"
    wrong = (monitor("a", use="kss"), monitor("b", reference="{dataset: gone.parquet}"), monitor("c"))
    config.write_text("monitors:" + "".join(wrong))
    done = start(f"chdb://{tmp_path / 'store'}", config)
    first, second = done.stderr.splitlines()[-2:]
    assert done.returncode == 1
    assert first.startswith(f"tidemark: {config}:") and "monitors.0.steps.0.use: step 's': no detector" in first
    assert second.startswith(f"{config}:") and "monitors.1.reference.dataset: no data set and no file is" in second
    config.write_text("retention: {prediction: 3}")
    done = start(f"chdb://{tmp_path / 'store'}", config)
    assert done.returncode == 1 and f"{config}:1: retention.prediction: no table" in done.stderr


def test_a_model_nobody_knows_yet_is_a_warning_and_it_starts(tmp_path: Path) -> None:
    known = "models: {income: {fields: {age: {kind: num}}}}\n"
    with up(tmp_path, f"{known}monitors:" + monitor("a", model="incom")) as served:
        warned = [json.loads(line) for line in served.log.read_text().splitlines()]
    lines = [line["message"] for line in warned if line["level"] == "warning"]
    [line] = lines
    assert line.endswith(": monitors.0.model: no model 'incom' is known; did you mean 'income'?")


def test_retention_of_the_configuration_is_what_the_store_says(served: Up, tidemark: Tidemark) -> None:
    config = served.log.parent / "tidemark.yaml"
    done = tidemark("migrate", "--store", served.store, "--config", config, "--json")
    said = json.loads(done.out)
    assert (done.code, said["applied"], said["retention_days"]) == (
        0,
        [],
        {"dead_letters": 30, "profiles_hour": 90, "profiles_minute": 7},
    )


def test_what_is_stored_is_found_again_after_a_restart(tmp_path: Path) -> None:
    for number in range(2):
        with up(tmp_path) as served:
            served.send("m", {"id": f"p{number}", "inputs": {"n": number}})
            assert served.stored("p0")["inputs"] == {"n": 0.0}
            owner = tmp_path / "store" / "owner.json"
            assert json.loads(owner.read_text())["pid"] == served.process.pid
            assert os.stat(owner).st_mode & 0o777 == 0o600
        assert not owner.exists()
