"""`clickhouse://user:password@host:8123/tidemark?…` as values."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from core.errors import ConfigError

_OPTIONS = ("secure", "path", "timeout", "fingerprint")


class Address(NamedTuple):
    """Where a ClickHouse server speaks HTTP, under the prefix `path`; an answer may take `timeout_seconds`.

    With a `fingerprint`, the SHA-256 of a certificate in hex, that one is trusted and no other.
    """

    host: str
    port: int
    user: str = "default"
    password: str = ""
    database: str = "tidemark"
    secure: bool = False
    path: str = ""
    timeout_seconds: int = 300
    fingerprint: str = ""

    def __str__(self) -> str:
        """Without the password: this goes into logs and error texts."""
        scheme = "clickhouses" if self.secure else "clickhouse"
        path = f"?path={self.path}" if self.path else ""
        return f"{scheme}://{self.user}@{self.host}:{self.port}/{self.database}{path}"


def parse(url: str) -> Address:
    """`clickhouses://` or `?secure=1` is TLS. ConfigError says what is wrong, without showing a password."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        unknown = sorted(set(options) - set(_OPTIONS))
        if unknown or not parts.hostname:
            raise ValueError(f"unknown option {unknown[0]}" if unknown else "no host")
        secure = parts.scheme == "clickhouses" or options.get("secure") == "1"
        return Address(
            host=parts.hostname,
            port=parts.port or (8443 if secure else 8123),
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or "tidemark",
            secure=secure,
            path=options.get("path", "").strip("/"),
            timeout_seconds=int(options.get("timeout", 300)),
            fingerprint=_fingerprint(options.get("fingerprint", "")),
        )
    except ValueError as e:
        wanted = "clickhouse://user:password@host:8123/tidemark[?secure=1&path=prefix&timeout=seconds&fingerprint=hex]"
        raise ConfigError(f"--store: {e}; wanted is {wanted}") from None


def _fingerprint(text: str) -> str:
    digits = text.replace(":", "").lower()
    if digits and not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("fingerprint: expected the SHA-256 of a certificate, 64 hex digits")
    return digits
