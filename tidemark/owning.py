"""How the owner of an embedded store tells other commands where it answers and how to know it."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.config import Tls
from storage.serving.owner import announced, reachable
from tidemark.tls import fingerprint


@contextmanager
def owning(folder: Path, listener: socket.socket, path: str = "", tls: Tls | None = None) -> Iterator[str]:
    """Announce `path` of the server on `listener`, over https with `tls`; gives the token that lets a client write."""
    token = secrets.token_urlsafe(32)
    host, port = listener.getsockname()[:2]
    url = reachable(host, port, tls is not None) + path
    with announced(folder, url, token, fingerprint(tls) if tls else ""):
        yield token
