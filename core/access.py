"""Which namespaces the caller of a request may use: the application says so in the ASGI scope, taps and API obey."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import Rejected

NAMESPACES = "tidemark.namespaces"  # key of the ASGI scope; absent for callers who may use all


@dataclass(frozen=True)
class Namespaces:
    """What a caller may write into and read from; `names` None = every namespace."""

    names: frozenset[str] | None = None

    def __contains__(self, namespace: str) -> bool:
        return self.names is None or namespace in self.names

    def check(self, namespace: str, field: str = "namespace") -> None:
        """Rejected(403) that names the namespace, unless the caller may use it."""
        if self.names is not None and namespace not in self.names:
            raise Rejected(403, FORBIDDEN, f"the token may not use '{namespace}', only: {self}", field)

    def __str__(self) -> str:
        return "all" if self.names is None else ", ".join(sorted(self.names))


FORBIDDEN = "forbidden_namespace"
EVERY_NAMESPACE = Namespaces()


def namespaces(scope: Mapping[str, Any]) -> Namespaces:
    """Those of the caller of an ASGI scope."""
    allowed: Namespaces = scope.get(NAMESPACES, EVERY_NAMESPACE)
    return allowed
