"""`core.protocols.Predict` over the Open Inference Protocol: calls a model where it lives, unseen by the taps."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import urllib3

from collectors.building.fields import aligned, blocks
from collectors.formats import Hints, decode
from collectors.formats.encode import encode
from core.config import Config
from core.distribution import Floats
from core.errors import Rejected, StepFailed
from core.records import ModelKey, Tensor
from storage.engine import Engine
from storage.lookup.predictions import models

# The tap honours it, so that what an explainer asks is never stored as a prediction.
SKIP_LOGGING = {"seldon-skip-logging": "true"}
CALL_SECONDS = 30.0


class Models:
    """Finds a model's address and what its requests look like, and gives a function that calls it."""

    def __init__(self, config: Config, engine: Engine) -> None:
        self._config, self._engine = config, engine
        self._pool = urllib3.PoolManager(maxsize=4, timeout=CALL_SECONDS, retries=False)

    def __call__(self, model: ModelKey, version: str) -> "RemoteModel":
        """StepFailed when nobody knows where the model is or what it takes."""
        infer = f"{self._endpoint(model)}/infer"
        known = [f for f in models(self._engine) if (f["namespace"], f["model"], f["version"]) == (*model, version)]
        inputs = [f for f in known if f["role"] == "input"]
        if texts := [f["field"] for f in inputs if f["kind"] != "num"]:
            raise StepFailed(f"{model.model}: inputs that are not numbers cannot be varied yet: {', '.join(texts)}")
        if not inputs:
            raise StepFailed(f"{model.model}: no input field is known yet")
        names = self._config.model(model).names
        return RemoteModel(lambda body, headers: self._post(infer, body, headers), inputs, names)

    def _endpoint(self, model: ModelKey) -> str:
        if endpoint := self._config.model(model).endpoint:
            return endpoint.rstrip("/")
        taps = [tap for tap in self._config.taps if tap.name == model.model] or list(self._config.taps)
        if len(taps) != 1:
            raise StepFailed(f"{model.model}: where is it? Set models.{model.model}.endpoint in tidemark.yaml")
        return f"{taps[0].upstream.rstrip('/')}/v2/models/{model.model}"

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._pool.request("POST", url, body=body, headers={**headers, **SKIP_LOGGING})
        except urllib3.exceptions.HTTPError as error:
            raise StepFailed(f"{url} cannot be reached: {error}") from None
        if answer.status != 200:
            raise StepFailed(f"{url} answered {answer.status}: {answer.data[:200].decode('utf-8', 'replace')}")
        return answer


class RemoteModel:
    """One model. `inputs` are its fields in the order of its own request, as the table `models` has them."""

    def __init__(
        self,
        post: Callable[[bytes, Mapping[str, str]], urllib3.BaseHTTPResponse],
        inputs: Sequence[Mapping[str, Any]],
        names: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._post, self._names = post, names
        ordered = sorted(inputs, key=lambda f: (f["tensor"], f["position"]))
        self._tensors = [(name, list(group)) for name, group in groupby(ordered, key=lambda f: f["tensor"])]

    def __call__(self, rows: Floats, fields: Sequence[str]) -> dict[str, Floats]:
        column = {name: rows[:, j] for j, name in enumerate(fields)}
        try:
            sent = encode([_tensor(name, group, column) for name, group in self._tensors])
            answer = self._post(sent.body, sent.headers)
            payload = decode(answer.data, "response", Hints(answer.headers.get("content-type", "")))
        except Rejected as error:
            raise StepFailed(f"the model's request or answer cannot be coded: {error}") from None
        except KeyError as error:
            raise StepFailed(f"the model takes a field that the window does not have: {error}") from None
        return self._numbers(payload.tensors, len(rows))

    def _numbers(self, tensors: Sequence[Tensor], rows: int) -> dict[str, Floats]:
        shaped = blocks([aligned(t, rows) for t in tensors], lambda tensor, width: self._names.get(tensor, ()))
        return {name: b.values[:, j] for b in shaped if b.kind == "num" for j, name in enumerate(b.names)}


def _tensor(name: str, group: Sequence[Mapping[str, Any]], column: Mapping[str, Floats]) -> Tensor:
    return Tensor(name, np.column_stack([column[field["field"]] for field in group]), group[0]["datatype"])
