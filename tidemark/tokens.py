"""Bearer tokens: made, read from where the configuration says, kept as hashes, and recognised.

A fast hash is enough: a slow one (bcrypt, argon2) makes guessing passwords dear, and nobody guesses 128 random bits,
while every call would pay its milliseconds. That is why short tokens are refused.
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from core.access import Namespaces
from core.config import TokenConfig, TokenScope
from core.config.access import HASH
from core.errors import ConfigError

PREFIX = "tidemark_"  # scanners of repositories and logs find a token by it
LEAST_BITS = 128
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1

log = logging.getLogger("tidemark.access")


class Grant(NamedTuple):
    """What the bearer of a token may do."""

    name: str
    scopes: frozenset[TokenScope]
    namespaces: Namespaces = Namespaces()


def fresh_token() -> str:
    """256 random bits behind PREFIX."""
    return PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """`sha256:…`, as the configuration takes it."""
    return HASH + hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """Grants by token, in the same time whether there are one or thousands and however much of a guess is right.

    They are found by a hash under a key of this process, which nobody outside can aim at an entry; what is found is
    then compared in constant time.
    """

    def __init__(self, grants: Iterable[tuple[str, Grant]]) -> None:
        """`grants` with their token's hash; ConfigError when two are of one token."""
        self._key = secrets.token_bytes(32)
        self._grants: dict[bytes, tuple[bytes, Grant]] = {}
        for text, grant in grants:
            digest = bytes.fromhex(text.removeprefix(HASH))
            if (same := self._grants.get(self._place(digest))) is not None:
                raise ConfigError(f"tokens.{grant.name}: the same token as tokens.{same[1].name}")
            self._grants[self._place(digest)] = digest, grant

    def __bool__(self) -> bool:
        return bool(self._grants)

    def grant(self, token: bytes) -> Grant | None:
        """None for a token nobody was given."""
        digest = hashlib.sha256(token).digest()
        expected, grant = self._grants.get(self._place(digest), (b"", None))
        return grant if hmac.compare_digest(digest, expected) else None

    def may_query(self, password: str) -> bool:
        """Whether a password of the ClickHouse protocol is a token that may read everything."""
        grant = self.grant(password.encode())
        return grant is not None and "admin" in grant.scopes

    def _place(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._key, digest_size=16).digest()


def load_tokens(declared: Sequence[TokenConfig], environment: Mapping[str, str] = os.environ) -> Tokens:
    """The tokens of a configuration. ConfigError names the one whose secret is missing or weak."""
    return Tokens((token.hash or token_hash(_secret(token, environment)), _grant(token)) for token in declared)


def _grant(token: TokenConfig) -> Grant:
    names = None if token.tenants is None else frozenset(token.tenants)
    return Grant(token.name, frozenset(token.scopes), Namespaces(names))


def _secret(token: TokenConfig, environment: Mapping[str, str]) -> str:
    where = f"tokens.{token.name}.{'env' if token.env else 'file'}"
    secret = _of_file(where, Path(token.file)) if token.file else environment.get(token.env or "", "")
    if not secret:
        raise ConfigError(f"{where}: {token.env or token.file} holds nothing; `tidemark token` makes a token")
    if not _TOKEN.fullmatch(secret):
        raise ConfigError(f"{where}: {token.env or token.file} must hold one token of letters, digits and -._~+/ alone")
    bits = len(secret) * (4 if re.fullmatch(r"[0-9a-fA-F]*", secret) else 6)
    if bits < LEAST_BITS:
        raise ConfigError(
            f"{where}: at most {bits} bits, which can be guessed; {LEAST_BITS} are the least, "
            "and `tidemark token` makes one of 256"
        )
    return secret


def _of_file(where: str, path: Path) -> str:
    try:
        secret = path.read_text("ascii").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        log.warning("%s: every user of this machine can read %s; chmod 600 it", where, path)
    return secret
