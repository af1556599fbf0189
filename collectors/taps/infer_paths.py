"""Which calls are inferences, and of which model."""

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

# Without a model in the path it is named after the tap.
INFER_PATHS = (
    re.compile(r"^/?(?:.*/)?v2/(?:models|pipelines)/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/infer$"),
    re.compile(r"^/?(?:.*/)?v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>[^/:]+))?:predict$"),
    re.compile(r"^/?(?:.*/)?api/v(?:0\.1|1\.0)/predictions$"),
)


class Target(NamedTuple):
    """`metadata` is the path of the model's V2 metadata, should its server have any."""

    model: str
    version: str
    metadata: str


def infer_target(path: str, tap: str) -> Target | None:
    """The model that a path infers with; None when it is no infer path."""
    for pattern in INFER_PATHS:
        if found := pattern.match(path):
            groups = found.groupdict()
            model = groups.get("model") or quote(tap)
            metadata = path.removesuffix("/infer") if path.endswith("/infer") else f"/v2/models/{model}"
            return Target(unquote(model), unquote(groups.get("version") or ""), metadata)
    return None
