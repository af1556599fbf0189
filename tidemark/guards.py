"""What stands in front of a server's app: limits always, access as soon as any token is configured."""

from collectors.taps import events, rows
from collectors.taps.asgi import Scope
from core.config import Config
from core.metrics import Metrics
from tidemark.access import Access
from tidemark.app import ASGI
from tidemark.gate import TOO_MANY, Gate
from tidemark.tokens import Tokens

_TAPS = {"/": events.SOURCE, "/events": events.SOURCE, "/api/predictions": rows.SOURCE}


def guarded(app: ASGI, config: Config, metrics: Metrics, tokens: Tokens) -> ASGI:
    """A call without a token takes none of the calls at once that `limits` allow."""
    taps = {tap.name for tap in config.taps}

    def refused(scope: Scope, reason: str) -> None:
        metrics.refused_calls.labels(reason).inc()
        if reason == TOO_MANY and (tap := _tap(scope, taps)):
            metrics.events.labels(tap, "shed").inc()

    gate = Gate(app, config.limits, refused)
    return Access(gate, tokens, lambda reason: metrics.refused_calls.labels(reason).inc()) if tokens else gate


def _tap(scope: Scope, taps: set[str]) -> str:
    """The tap that a call was for, '' for none."""
    path: str = scope["path"]
    if path.startswith("/tap/"):
        name = path.split("/")[2]
        return name if name in taps else ""
    return _TAPS.get(path, "") if scope["method"] == "POST" else ""
