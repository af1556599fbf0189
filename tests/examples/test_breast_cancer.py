"""The demo's model, its server, its traffic and its configuration."""

import csv
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from core.config import DatasetReference, load
from core.distribution import Distribution
from core.records import ModelKey
from detectors import FieldDetector, RowDetector, make
from examples.breast_cancer import MODEL
from examples.breast_cancer.configuration import OUTLIERS, write
from examples.breast_cancer.model import DIAGNOSIS, PROBABILITY, Floats, Model, population
from examples.breast_cancer.traffic import Traffic, write_reference

SEEDS = range(20)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The example's server as a process of its own; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "examples.breast_cancer.server", "--port", str(port)])
    try:
        wait_until_live(f"http://127.0.0.1:{port}/v2/health/live", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def wait_until_live(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise RuntimeError("the example's server did not start")


def features(rows: Any, shape: list[Any], **changed: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "features", "datatype": "FP64", "shape": shape, "data": rows, **changed}]}


def infer(server: str, body: Any, model: str = MODEL) -> requests.Response:
    return requests.post(f"{server}/v2/models/{model}/infer", json=body, timeout=10)


@pytest.mark.parametrize("n", [1, 100])
def test_the_server_answers_each_row_with_what_the_model_says(server: str, n: int) -> None:
    rows = population().held_out[:n]
    answer = infer(server, {"id": "r-1", **features(rows.tolist(), [n, 30])}).json()
    said = Model().predict(rows)
    outputs = {o["name"]: o for o in answer["outputs"]}
    assert answer["id"] == "r-1"
    assert outputs[PROBABILITY]["shape"] == outputs[DIAGNOSIS]["shape"] == [n, 1]
    assert outputs[PROBABILITY]["data"] == pytest.approx(said.probability)
    assert outputs[DIAGNOSIS]["data"] == said.diagnosis


def test_flat_and_nested_data_are_the_same_request(server: str) -> None:
    rows = population().held_out[:3]
    nested, flat = (infer(server, features(data, [3, 30])).json() for data in (rows.tolist(), rows.ravel().tolist()))
    assert nested == flat


def test_the_metadata_describe_the_tensors_that_infer_takes_and_gives(server: str) -> None:
    metadata = requests.get(f"{server}/v2/models/{MODEL}", timeout=10).json()
    answer = infer(server, features([1.0] * 30, [1, 30])).json()
    described, given = ([(t["name"], t["datatype"]) for t in source["outputs"]] for source in (metadata, answer))
    assert metadata["inputs"] == [{"name": "features", "datatype": "FP64", "shape": [-1, 30]}]
    assert described == given


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"inputs": [{"name": "features"}]},
        features([1.0] * 30, [1, 30], name="other"),
        features([1.0] * 30, [1, 30], datatype="INT64"),
        features([1.0] * 30, [30]),
        features([1.0] * 30, [2, 30]),
        features([1.0] * 29, [1, 29]),
        features([], [0, 30]),
        features([None] * 30, [1, 30]),
        features(["1"] * 30, [1, 30]),
        features([[1.0] * 30, [1.0]], [2, 30]),
    ],
)
def test_a_bad_request_is_a_400_that_says_why(server: str, body: Any) -> None:
    answer = infer(server, body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_body_that_is_not_json_is_a_400(server: str) -> None:
    answer = requests.post(f"{server}/v2/models/{MODEL}/infer", data=b'{"inputs": [', timeout=10)
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]


def test_an_unknown_model_is_a_404(server: str) -> None:
    assert infer(server, features([1.0] * 30, [1, 30]), model="nobody").status_code == 404
    assert requests.get(f"{server}/v2/models/nobody", timeout=10).status_code == 404


def test_the_model_is_right_on_rows_it_never_saw() -> None:
    from sklearn.datasets import load_breast_cancer

    data, known = load_breast_cancer(), population()
    malignant = {row.tobytes(): target == 0 for row, target in zip(data.data, data.target, strict=True)}
    truth = np.array([malignant[row.tobytes()] for row in known.held_out])
    assert np.mean(truth == (Model().predict(known.held_out).probability > 0.5)) > 0.95
    assert not {row.tobytes() for row in known.train} & {row.tobytes() for row in known.held_out}


@pytest.mark.parametrize("rows", [200, 500])
def test_before_the_shift_no_window_differs_from_the_reference(rows: int) -> None:
    assert [fields_fired(seed, shifted=False, rows=rows) for seed in SEEDS] == [0] * len(SEEDS)


@pytest.mark.parametrize("rows", [200, 500])
def test_after_the_shift_every_window_differs_in_most_fields(rows: int) -> None:
    assert min(fields_fired(seed, shifted=True, rows=rows) for seed in SEEDS) > 20


def fields_fired(seed: int, shifted: bool, rows: int) -> int:
    """How many of the 30 features and two outputs the demo's drift steps tell apart, at 0.05 a step."""
    window = drawn(seed, shifted, rows)
    before, now = (model().predict(r) for r in (population().held_out, window))
    numbers = zip([*population().held_out.T, before.probability], [*window.T, now.probability], strict=True)
    categories = [Distribution.of_categories(*zip(*Counter(p.diagnosis).items(), strict=True)) for p in (before, now)]
    ks, chi_squared = make("ks"), make("chi_squared")
    assert isinstance(ks, FieldDetector)
    assert isinstance(chi_squared, FieldDetector)
    scores = [ks.compare(*map(Distribution.of_numbers, pair), 0.05 / 31) for pair in numbers]
    return sum(score.fired for score in [*scores, chi_squared.compare(*categories, 0.05)])


def test_outliers_fire_after_the_shift_and_not_before() -> None:
    forest = make("isolation_forest", {"contamination": OUTLIERS})
    assert isinstance(forest, RowDetector)
    fired = [
        [forest.score(population().held_out, drawn(seed, shifted, 300), 0.05).verdict.fired for seed in range(3)]
        for shifted in (False, True)
    ]
    assert fired == [[False] * 3, [True] * 3]


def drawn(seed: int, shifted: bool, rows: int) -> Floats:
    return Traffic().rows(np.random.default_rng(seed), shifted, rows)


@cache
def model() -> Model:
    return Model()


def test_the_same_seed_draws_the_same_rows() -> None:
    assert np.array_equal(drawn(7, True, 50), drawn(7, True, 50))
    assert not np.array_equal(drawn(7, True, 50), drawn(8, True, 50))


def test_the_reference_is_the_held_out_rows_with_the_models_answers(tmp_path: Path) -> None:
    write_reference(tmp_path / "reference.csv")
    with (tmp_path / "reference.csv").open() as file:
        rows = list(csv.DictReader(file))
    known = population()
    assert [[float(row[f]) for f in known.features] for row in rows] == known.held_out.tolist()
    assert [row[DIAGNOSIS] for row in rows] == model().predict(known.held_out).diagnosis
    assert [float(row[PROBABILITY]) > 0.5 for row in rows] == [row[DIAGNOSIS] == "malignant" for row in rows]


def test_the_configuration_is_valid_and_names_what_is_there(tmp_path: Path) -> None:
    config = load(write(tmp_path, "http://127.0.0.1:9000"))
    watched, monitor = config.model(ModelKey("default", MODEL)), config.monitors[0]
    assert watched.names["features"] == population().features
    assert watched.endpoint == f"http://127.0.0.1:9000/v2/models/{MODEL}"
    assert isinstance(monitor.reference, DatasetReference)
    assert Path(config.datasets[monitor.reference.dataset].path).exists()
    assert [(tap.name, tap.upstream) for tap in config.taps] == [(MODEL, "http://127.0.0.1:9000")]
