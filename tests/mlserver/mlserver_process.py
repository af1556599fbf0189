"""MLServer as a process of its own, serving one scikit-learn model on free ports."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

HERE = Path(__file__).parent
BIN = HERE.parents[1] / ".venv-mlserver" / "bin"
MODEL = "iris"
START_SECONDS = 60  # it takes 7 s on 2 idle cores


class MLServer(NamedTuple):
    """`url` is `http://host:port`. The model takes FP64 [N, 4] and gives `predict` INT64 [N, 1] and, asked for it,
    `predict_proba` FP64 [N, 3]."""

    url: str
    model: str


@contextmanager
def serve(folder: Path) -> Iterator[MLServer]:
    """Train the model into `folder` and serve it until the block ends."""
    subprocess.run([BIN / "python", HERE / "train.py", folder / "model.joblib"], check=True)
    http, grpc, metrics = _free_ports(3)
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(_model_settings()))
    log = folder / "mlserver.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [BIN / "mlserver", "start", folder], cwd=folder, env=_environment(), stdout=output, stderr=output
        )
    try:
        server = MLServer(f"http://127.0.0.1:{http}", MODEL)
        _wait(server, process, log)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _model_settings() -> dict[str, object]:
    return {
        "name": MODEL,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", "version": "v1"},
        "inputs": [{"name": "measurements", "datatype": "FP64", "shape": [-1, 4]}],
        "outputs": [{"name": "predict", "datatype": "INT64", "shape": [-1, 1]}],
    }


def _environment() -> dict[str, str]:
    """Without settings of the shell's: a variable MLSERVER_HTTP_PORT would override the file."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MLSERVER_")}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [s.getsockname()[1] for s in sockets]


def _wait(server: MLServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{server.url}/v2/models/{MODEL}/ready", timeout=2).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise RuntimeError(f"MLServer did not start:\n{log.read_text()[-4000:]}")
