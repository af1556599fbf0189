"""What of an upstream is open to callers who may use only some namespaces: inferences and metadata of models there.

Nothing else can be told to be theirs. A gateway that chooses the model by the Host header is the upstream's to guard.
"""

import re
from collections.abc import Callable

from collectors.taps.asgi import Scope
from collectors.taps.infer_paths import infer_target
from core.access import FORBIDDEN, namespaces
from core.errors import Rejected
from core.records import ModelKey

# Without dot segments, escapes and prefixes, which an upstream may read as another model's path.
_OF_MODEL = re.compile(
    rb"/v[12]/(?:models|pipelines)/(?P<model>(?!\.\.?(?:/|$))[^/:%]+)(?:[/:](?!\.\.?(?:/|$))[^/:%]+)*"
)
_NO_MODEL = re.compile(rb"/api/v(?:0\.1|1\.0)/predictions")
_CHOOSING = (b"seldon-model", b"seldon-internal-model")  # Seldon Core 2 goes by these headers rather than by the path


def check_passing(scope: Scope, tap: str, key_of: Callable[[str], ModelKey]) -> None:
    """Rejected(403) unless the caller may send this on through `tap`; `key_of` gives the key of a model's name."""
    allowed = namespaces(scope)
    if allowed.names is None:
        return
    model = _model(scope["method"], scope["tap_path"], tap)
    if not model:
        detail = f"only inferences and metadata of models are open to the token, which may use: {allowed}"
        raise Rejected(403, FORBIDDEN, detail, "path")
    allowed.check(key_of(model).namespace, "path")
    names = {model.encode("latin-1"), f"{model}.pipeline".encode("latin-1")}
    if chosen := [name for name, value in scope["headers"] if name in _CHOOSING and value not in names]:
        raise Rejected(403, FORBIDDEN, "it names another model than the path", chosen[0].decode())


def _model(method: str, path: bytes, tap: str) -> str:
    """The model that a call is of, as it is recorded; '' when it is not plain."""
    target = infer_target(path.decode("latin-1"), tap)
    if method not in ("GET", "HEAD") and not (method == "POST" and target):
        return ""
    if target and _NO_MODEL.fullmatch(path):
        return target.model
    found = _OF_MODEL.fullmatch(path)
    return found["model"].decode("latin-1") if found else ""
