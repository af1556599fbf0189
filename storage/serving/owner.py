"""Who owns an embedded store: one process has the folder open, everybody else talks to it over HTTP.

The owner leaves `owner.json` in the folder, readable by its user only: where it answers, its process, the token that
lets a client write, and over https the fingerprint of its certificate, which may be signed by nobody. A file left
behind by a process that died is ignored and replaced.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from core.errors import StoreError, StoreOwned
from storage.engines.address import Address
from storage.serving.serve import OWNER

FILE = "owner.json"
LOCK = "status"  # the engine's own file in the folder: locked while it runs, its first line is `PID: 123`
ANSWER_SECONDS = 300


class Owner(NamedTuple):
    """`fingerprint`: SHA-256 of its certificate in hex, '' without https."""

    url: str
    pid: int
    token: str
    fingerprint: str = ""

    def address(self) -> Address:
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        return Address(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or (443 if secure else 80),
            user=OWNER,
            password=self.token,
            secure=secure,
            path=parts.path.strip("/"),
            timeout_seconds=ANSWER_SECONDS,
            fingerprint=self.fingerprint,
        )


def reachable(host: str, port: int, https: bool = False) -> str:
    """The URL by which this machine reaches a server that listens on `host`, be it one address or all of them."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{'https' if https else 'http'}://" + (f"[{name}]:{port}" if ":" in name else f"{name}:{port}")


@contextmanager
def announced(folder: Path, url: str, token: str, fingerprint: str = "") -> Iterator[Owner]:
    """Tell other processes that this one owns `folder` and answers at `url`; enter it once the server answers."""
    owner = Owner(url, os.getpid(), token, fingerprint)
    path = folder / FILE
    new = folder / f"{FILE}.new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        json.dump(owner._asdict(), file)
    new.replace(path)
    try:
        yield owner
    finally:
        if announced_owner(folder) == owner:
            path.unlink(missing_ok=True)


def announced_owner(folder: Path) -> Owner | None:
    """What owner.json says, whether its process lives or not."""
    try:
        found = json.loads((folder / FILE).read_text())
        return Owner(str(found["url"]), int(found["pid"]), str(found["token"]), str(found.get("fingerprint", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def live_owner(folder: Path) -> Owner | None:
    """The announced owner, when it is another process and that one lives."""
    owner = announced_owner(folder)
    return owner if owner and owner.pid != os.getpid() and holder(folder) == owner.pid else None


def holder(folder: Path) -> int | None:
    """The process that has the engine open on `folder`; None when nobody has. Looks at the lock, never takes it."""
    try:
        pid = (folder / LOCK).read_text().split()[1]
        inode = (folder / LOCK).stat().st_ino
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except (OSError, IndexError):
        return None
    held = any(lock[1] == "FLOCK" and lock[-4] == pid and lock[-3].endswith(f":{inode}") for lock in locks)
    return int(pid) if held else None


def in_use(folder: Path) -> StoreOwned:
    """For a folder whose holder cannot be seen from here: another container, or no /proc."""
    return StoreOwned(f"chdb://{folder} is open in another process, perhaps in another container: stop that one first")


def owned(folder: Path, pid: int) -> StoreOwned:
    """One line: who holds it and what to do."""
    owner = announced_owner(folder)
    where = f", and answers at {owner.url}" if owner and owner.pid == pid else ""
    return StoreOwned(
        f"chdb://{folder} is held by process {pid} ({_command(pid)}){where}: "
        + ("stop it first" if where else "stop it first, or start `tidemark serve-store` for several at once")
    )


def refuse_if_held(folder: Path) -> None:
    """StoreOwned when another process has the engine open on `folder`."""
    pid = holder(folder)
    if pid is not None and pid != os.getpid():
        raise owned(folder, pid)


def unreachable(folder: Path, owner: Owner, reason: StoreError) -> StoreOwned:
    return StoreOwned(f"chdb://{folder} is held by process {owner.pid}, which does not answer at {owner.url}: {reason}")


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return "unknown"
    return " ".join(" ".join(Path(w).name if w.startswith("/") else w for w in words).split())[:80]
