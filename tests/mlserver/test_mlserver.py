"""The server the tap's tests stand on does what an MLServer does."""

from typing import Any

import pytest
import requests
from mlserver_process import MLServer

SETOSA, VIRGINICA = [5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.5, 2.0]


def test_one_row_is_answered_with_the_requests_id(mlserver: MLServer) -> None:
    answer = infer(mlserver, [SETOSA], id="one")
    body = answer.json()
    assert (answer.status_code, body["id"], body["model_name"], body["model_version"]) == (200, "one", "iris", "v1")
    assert body["outputs"][0]["shape"] == [1, 1]
    assert body["outputs"][0]["data"] == [0]
    assert answer.headers["ce-requestid"] == "one"


def test_many_rows_are_answered_row_by_row(mlserver: MLServer) -> None:
    outputs = [{"name": "predict"}, {"name": "predict_proba"}]
    body = infer(mlserver, [SETOSA, VIRGINICA] * 50, outputs=outputs).json()
    species, probability = body["outputs"]
    assert species["data"] == [0, 2] * 50
    assert probability["shape"] == [100, 3]
    assert sum(probability["data"]) == pytest.approx(100)


def test_a_row_too_narrow_for_the_model_is_a_bare_500(mlserver: MLServer) -> None:
    answer = infer(mlserver, [[1.0, 2.0]])
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


def test_an_unknown_model_is_a_404_with_an_error(mlserver: MLServer) -> None:
    answer = infer(mlserver._replace(model="nobody"), [SETOSA])
    assert answer.status_code == 404
    assert "nobody" in answer.json()["error"]


def test_the_metadata_name_the_models_tensors(mlserver: MLServer) -> None:
    metadata = requests.get(f"{mlserver.url}/v2/models/{mlserver.model}", timeout=10).json()
    tensors = [(t["name"], t["datatype"], t["shape"]) for t in metadata["inputs"]]
    assert tensors == [("measurements", "FP64", [-1, 4])]


def infer(server: MLServer, rows: list[list[float]], **more: Any) -> requests.Response:
    tensor = {"name": "measurements", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows}
    return requests.post(f"{server.url}/v2/models/{server.model}/infer", json={"inputs": [tensor], **more}, timeout=10)
