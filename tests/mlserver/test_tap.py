"""A real MLServer behind the tap: what is stored equals what was sent and answered."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from mlserver_process import MLServer
from test_mlserver import SETOSA, VIRGINICA, infer

from tidemark.demo.processes import free_port, running

STORED_SECONDS = 15


@pytest.fixture(scope="module")
def tidemark(mlserver: MLServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`tidemark up` with a tap in front of MLServer."""
    folder = tmp_path_factory.mktemp("tidemark")
    config = folder / "tidemark.yaml"
    config.write_text(f'taps: [{{name: iris, upstream: "{mlserver.url}"}}]\n')
    port = free_port()
    options = ["up", "--store", f"chdb://{folder / 'store'}", "--config", str(config), "--port", str(port)]
    with running("tidemark.cli", options, folder / "log", f"http://127.0.0.1:{port}/readyz"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def tapped(tidemark: str, mlserver: MLServer) -> MLServer:
    return mlserver._replace(url=f"{tidemark}/tap/iris")


def test_one_row_is_stored_as_it_was_sent_and_answered(tidemark: str, tapped: MLServer) -> None:
    answer = infer(tapped, [SETOSA], id="tap-one").json()
    stored = eventually(tidemark, "tap-one")
    assert list(stored["inputs"].values()) == SETOSA
    assert stored["outputs"] == {"predict": answer["outputs"][0]["data"][0]}
    assert (stored["model"], stored["version"], stored["status"], stored["source"]) == ("iris", "v1", 200, "iris")
    assert 0 < stored["latency"] < 10


def test_each_row_of_a_request_is_a_prediction_of_its_own(tidemark: str, tapped: MLServer) -> None:
    rows = [SETOSA, VIRGINICA, SETOSA]
    outputs = [{"name": "predict"}, {"name": "predict_proba"}]
    answer = infer(tapped, rows, id="tap-many", outputs=outputs).json()
    species, probability = (output["data"] for output in answer["outputs"])
    stored = eventually(tidemark, "tap-many")["rows"]
    assert [p["id"] for p in stored] == ["tap-many-0", "tap-many-1", "tap-many-2"]
    assert [list(p["inputs"].values()) for p in stored] == rows
    assert [p["outputs"]["predict"] for p in stored] == species
    assert [p["outputs"][f"predict_proba_{k}"] for p in stored for k in range(3)] == probability


def test_the_answer_through_the_tap_is_the_servers_own(tapped: MLServer, mlserver: MLServer) -> None:
    direct, through = (infer(server, [SETOSA], id="same") for server in (mlserver, tapped))
    assert through.content == direct.content
    changing = {"date"}
    assert {k: v for k, v in through.headers.items() if k.lower() not in changing} == {
        k: v for k, v in direct.headers.items() if k.lower() not in changing
    }


@pytest.mark.parametrize(("model", "row", "status"), [("iris", [1.0, 2.0], 500), ("nobody", SETOSA, 404)])
def test_a_failing_inference_is_stored_with_its_status_and_error(
    tidemark: str, tapped: MLServer, model: str, row: list[float], status: int
) -> None:
    answer = infer(tapped._replace(model=model), [row], id=f"tap-failing-{status}")
    stored = eventually(tidemark, f"tap-failing-{status}")
    assert answer.status_code == stored["status"] == status
    assert list(stored["inputs"].values()) == row
    assert stored["outputs"] == {}
    assert stored["error"] in answer.text


def eventually(url: str, id: str) -> dict[str, Any]:
    """The prediction or request `id`, once it is stored."""
    deadline = time.monotonic() + STORED_SECONDS
    while (answer := requests.get(f"{url}/api/predictions/{id}", timeout=10)).status_code == 404:
        assert time.monotonic() < deadline, f"{id} was not stored"
        time.sleep(0.1)
    answer.raise_for_status()
    stored: dict[str, Any] = answer.json()
    return stored
