"""`tidemark up` with tokens, and callers who bear them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import requests
from up_process import Up, up

from tidemark.tokens import fresh_token, token_hash


class Bearer(NamedTuple):
    """Calls `url` with `token`, '' for none."""

    url: str
    token: str

    def call(self, method: str, path: str, **asked: Any) -> requests.Response:
        headers = {**({"authorization": f"Bearer {self.token}"} if self.token else {}), **asked.pop("headers", {})}
        return requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=20, allow_redirects=False, **asked
        )

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.call("GET", path, params=query)

    def rows(self, namespace: str, model: str, *predictions: dict[str, Any]) -> requests.Response:
        body = {"namespace": namespace, "model": model, "predictions": predictions}
        return self.call("POST", "/api/predictions", json=body)

    def event(self, namespace: str, model: str, id: str, kind: str = "request") -> requests.Response:
        """Half an inference, as KServe's logger sends it."""
        said = {
            "ce-id": id,
            "ce-type": f"org.kubeflow.serving.inference.{kind}",
            "ce-source": "http://localhost:9081/",
            "ce-specversion": "1.0",
            "ce-inferenceservicename": model,
            "ce-namespace": namespace,
        }
        return self.call("POST", "/", json={"instances": [[1.0]]}, headers=said)


class Guarded(NamedTuple):
    up: Up
    tokens: dict[str, str]

    def __getitem__(self, name: str) -> Bearer:
        """The caller with that token; '' is one without."""
        return Bearer(self.up.url, self.tokens.get(name, name))


@contextmanager
def guarded(folder: Path, declared: dict[str, str], config: str = "") -> Iterator[Guarded]:
    """`declared` are tokens by name, as the rest of their YAML: `scopes: [read]`."""
    tokens = {name: fresh_token() for name in declared}
    lines = [f"  - {{name: {name}, {said}, hash: '{token_hash(tokens[name])}'}}" for name, said in declared.items()]
    with up(folder, "\n".join(["tokens:", *lines, config])) as started:
        yield Guarded(started, tokens)
