"""Who may call: tokens with their scopes and namespaces, and TLS."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from core.config.types import Name, Strict

TokenScope = Literal["ingest", "read", "admin"]
HASH = "sha256:"
T = TypeVar("T")


def _hash(text: str) -> str:
    digits = text.removeprefix(HASH)
    if digits == text or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"expected {HASH}<64 hex digits>, as `tidemark token` prints it; never the token itself")
    return text


def _some(names: tuple[T, ...]) -> tuple[T, ...]:
    if not names:
        raise ValueError("name at least one")
    return names


class TokenConfig(Strict):
    """A bearer token: what it may do, where, and where its secret is. The secret itself never lies in this file."""

    name: Name
    scopes: Annotated[tuple[TokenScope, ...], AfterValidator(_some)] = Field(
        description="ingest: send predictions; read: the API and metrics; admin: everything else"
    )
    tenants: Annotated[tuple[str, ...], AfterValidator(_some)] | None = Field(
        default=None, description="the namespaces that it may write into and read from; all when left out"
    )
    hash: Annotated[str, AfterValidator(_hash)] | None = Field(
        default=None, description="as `tidemark token` prints it"
    )
    env: Annotated[str, Field(min_length=1, description="environment variable that holds the token")] | None = None
    file: Annotated[str, Field(min_length=1, description="file that holds the token and nothing else")] | None = None

    @model_validator(mode="after")
    def _checked(self) -> "TokenConfig":
        if [self.hash, self.env, self.file].count(None) != 2:
            raise ValueError("say where its secret is by exactly one of: hash, env, file")
        if self.tenants is not None and "admin" in self.scopes:
            raise ValueError("'admin' reaches every namespace and does not go with 'tenants'")
        return self


class Tls(Strict):
    """HTTPS instead of HTTP, with PEM files; the key without a password."""

    certificate: str = Field(min_length=1, description="the certificate, with any intermediate ones after it")
    key: str = Field(min_length=1, description="its private key, without a password")
