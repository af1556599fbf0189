"""Answers HTTP on one address until a signal says stop."""

import asyncio
import gc
import ipaddress
import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import cast

import uvicorn

from core.config import Tls
from core.errors import ConfigError
from tidemark.app import ASGI
from tidemark.heads import Guard
from tidemark.tls import check_files, fingerprint

SWITCH_SECONDS = 0.005  # how long the thread that builds may keep the one that answers waiting; 5 ms by default
STOP_SECONDS = 2  # how long calls under way may take to end once a stop was asked for

_GUARD = Guard()

log = logging.getLogger("tidemark")


@dataclass(frozen=True)
class Listen:
    """`anonymous`: callers without a token or password are let in from other machines too."""

    host: str
    port: int
    anonymous: bool = False

    def check(self, tls: Tls | None, remedy: str) -> None:
        """ConfigError for TLS that cannot work, and for an address that other machines reach while all are let in.

        `remedy` says how to let in only some; '' when that is so already.
        """
        if tls:
            check_files(tls)
        if not remedy or _loopback(self.host):
            return
        if not self.anonymous:
            raise ConfigError(
                f"--host {self.host} lets every caller of other machines in: {remedy}, or say --allow-anonymous"
            )
        log.warning("--allow-anonymous: whoever reaches %s:%d may read and write everything", self.host, self.port)

    @contextmanager
    def socket(self) -> Iterator[socket.socket]:
        """Bound before anything slow starts, so that a taken port is one line at once."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self.host, self.port))
            except (OSError, OverflowError) as error:  # a port beyond 65535 overflows
                reason = getattr(error, "strerror", None) or str(error)
                raise ConfigError(f"cannot listen on {self.host}:{self.port}: {reason}; try --port") from None
            listener.listen(2048)
            yield listener


def run(app: ASGI, listener: socket.socket, what: str, tls: Tls | None = None, guard: Guard = _GUARD) -> None:
    """Answer HTTP, or HTTPS with `tls`, on `listener` until a signal says stop; `guard` refuses heads too long."""
    _calm_collector()
    host, port = listener.getsockname()[:2]
    log.info("%s, listening on %s://%s:%d", what, "https" if tls else "http", host, port)
    if tls:
        log.info("the SHA-256 of its certificate is %s", fingerprint(tls))
    options = uvicorn.Config(
        app,
        access_log=False,
        date_header=False,
        http=cast(type[asyncio.Protocol], guard),
        lifespan="on",
        log_config=None,
        log_level="warning",
        loop="uvloop",
        proxy_headers=False,
        server_header=False,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    _Server(options).run(sockets=[listener])


def _loopback(host: str) -> bool:
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):  # no such host, which binding will say
        return True
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)


def _calm_collector() -> None:
    """Thousands of calls a second wait in lists that hold no cycles: looking through them all took a third of the time.

    What is there now stays; cycles are looked for after 50,000 new objects rather than 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    sys.setswitchinterval(SWITCH_SECONDS)


class _Server(uvicorn.Server):
    """Stops in order however often it is asked to. Uvicorn's own would send itself the signal once more at its end,
    which ends the process with the store still open, and skip storing what came at a second Ctrl-C."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True
