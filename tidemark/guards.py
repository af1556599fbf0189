"""What stands in front of a server's app: limits always, access as soon as any token is configured."""

from collections.abc import Callable

from collectors.labels import TAP
from collectors.taps import events, labels, rows
from collectors.taps.asgi import Scope
from tidemark.access import Access
from tidemark.app import ASGI
from tidemark.gate import TOO_MANY, Gate
from tidemark.roles import Shared
from tidemark.tokens import Tokens

_TAPS = {"/": events.SOURCE, "/events": events.SOURCE, rows.PATH: rows.SOURCE, labels.PATH: TAP}


def guarded(app: ASGI, shared: Shared, tokens: Tokens, shed: Callable[[str], None]) -> ASGI:
    """A call without a token takes none of the calls at once that `limits` allow. `shed` hears of each tap's."""
    config, metrics = shared.config, shared.metrics
    taps = {tap.name for tap in config.taps}

    def refused(scope: Scope, reason: str) -> None:
        metrics.refused_calls.labels(reason).inc()
        if reason == TOO_MANY and (tap := _tap(scope, taps)):
            shed(tap)

    gate = Gate(app, config.limits, refused)
    return Access(gate, tokens, lambda reason: metrics.refused_calls.labels(reason).inc()) if tokens else gate


def _tap(scope: Scope, taps: set[str]) -> str:
    """The tap that a call was for, '' for none."""
    path: str = scope["path"]
    if path.startswith("/tap/"):
        name = path.split("/")[2]
        return name if name in taps else ""
    return _TAPS.get(path, "") if scope["method"] == "POST" else ""
