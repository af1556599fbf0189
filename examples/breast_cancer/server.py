"""The model behind Open Inference Protocol V2 over REST: `python -m examples.breast_cancer.server --port 9000`.

It knows nothing of Tidemark. One input tensor `features` FP64 [N, 30]; two outputs, `malignant_probability` FP64 [N, 1]
and `diagnosis` BYTES [N, 1].
"""

import argparse
from typing import Any

import numpy as np
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from examples.breast_cancer import MODEL
from examples.breast_cancer.model import DIAGNOSIS, PROBABILITY, Floats, Model

FEATURES = 30
METADATA = {
    "name": MODEL,
    "versions": ["1"],
    "platform": "scikit-learn",
    "inputs": [{"name": "features", "datatype": "FP64", "shape": [-1, FEATURES]}],
    "outputs": [
        {"name": PROBABILITY, "datatype": "FP64", "shape": [-1, 1]},
        {"name": DIAGNOSIS, "datatype": "BYTES", "shape": [-1, 1]},
    ],
}


class BadRequest(ValueError):
    """The request cannot be answered; its text goes to the caller."""


def app(model: Model) -> Starlette:
    """The server as an ASGI application."""

    async def infer(request: Request) -> Response:
        if request.path_params["name"] != MODEL:
            return _unknown(request)
        try:
            body = _body(await request.body())
            rows = _features(body)
        except BadRequest as error:
            return _answer({"error": str(error)}, 400)
        return _answer(_response(body, model, rows))

    return Starlette(
        routes=[
            Route("/v2", lambda _: _answer({"name": "breast-cancer-example", "version": "1", "extensions": []})),
            Route("/v2/health/live", lambda _: _answer({"live": True})),
            Route("/v2/health/ready", lambda _: _answer({"ready": True})),
            Route("/v2/models/{name}", _metadata),
            Route("/v2/models/{name}/ready", _metadata),
            Route("/v2/models/{name}/infer", infer, methods=["POST"]),
        ]
    )


def _metadata(request: Request) -> Response:
    return _answer(METADATA) if request.path_params["name"] == MODEL else _unknown(request)


def _unknown(request: Request) -> Response:
    return _answer({"error": f"no model '{request.path_params['name']}'; there is '{MODEL}'"}, 404)


def _answer(content: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type="application/json")


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def _features(body: dict[str, Any]) -> Floats:
    """The one input tensor, flat or nested, shape (rows, 30)."""
    match body.get("inputs"):
        case [{"name": "features", "datatype": "FP64", "shape": [int(rows), columns], "data": list(data)}]:
            pass
        case _:
            raise BadRequest(f"'inputs' is not one FP64 tensor 'features' of shape [N, {FEATURES}]")
    values = _numbers(data)
    if columns != FEATURES or rows < 1 or values.size != rows * columns:
        raise BadRequest(f"features: {values.size} values of shape [{rows}, {columns}], wanted [N, {FEATURES}]")
    return values.reshape(rows, FEATURES)


def _numbers(data: list[Any]) -> Floats:
    try:
        values = np.array(data)
    except ValueError:
        raise BadRequest("features: the rows are not of one length") from None
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise BadRequest("features: this model takes finite numbers only, and none may be missing")
    return values.astype(np.float64)


def _response(body: dict[str, Any], model: Model, rows: Floats) -> dict[str, Any]:
    found = model.predict(rows)
    shape = [len(rows), 1]
    return {
        "model_name": MODEL,
        "model_version": "1",
        **({"id": body["id"]} if "id" in body else {}),
        "outputs": [
            {"name": PROBABILITY, "datatype": "FP64", "shape": shape, "data": found.probability},
            {"name": DIAGNOSIS, "datatype": "BYTES", "shape": shape, "data": found.diagnosis},
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    arguments = parser.parse_args()
    uvicorn.run(app(Model()), host=arguments.host, port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
