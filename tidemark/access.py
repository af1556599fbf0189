"""Who may call what: an ASGI wrapper that lets a call through, or answers 401 or 403 before its body is read."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable

import orjson

from collectors.taps.asgi import Receive, Scope, Send, answer, problem
from core.access import FORBIDDEN, NAMESPACES
from core.config import TokenScope
from core.errors import Rejected
from tidemark.app import ASGI
from tidemark.tokens import Grant, Tokens

# For callers of a tap whose upstream wants an Authorization header of its own.
OWN_HEADER = b"x-tidemark-token"

_OPEN = {"/livez", "/readyz"}
_INGEST = {"/", "/events", "/api/predictions", "/api/labels"}
# What heeds the namespaces of its caller; everything else is closed to tokens of tenants.
_TENANTS = {
    "/",
    "/events",
    "/api/predictions",
    "/api/labels",
    "/api/models",
    "/api/monitors",
    "/api/results",
    "/docs",
    "/openapi.json",
}
_TENANTS_BELOW = ("/api/predictions/", "/tap/", "/static-offline-docs/")

_REALM = 'realm="tidemark"'
_BASIC = (b"www-authenticate", f'Basic {_REALM}, charset="UTF-8"'.encode())

Headers = Iterable[tuple[bytes, bytes]]


class Access:
    """In front of an app. The engine's own path is left to the authorisation of its protocol."""

    def __init__(self, app: ASGI, tokens: Tokens, refused: Callable[[str], object]) -> None:
        """`refused` is called with the reason of every refusal."""
        self._app, self._tokens, self._refused = app, tokens, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (needed := needed_scope(scope["method"], scope["path"])):
            try:
                self._admit(scope, needed)
            except Rejected as error:
                self._refused(error.code)
                await _refuse(scope, send, error, needed)
                return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope, needed: TokenScope) -> None:
        carrier, token = credentials(scope["headers"])
        if not token:
            raise Rejected(401, "no_token", "send a token of tidemark.yaml: 'Authorization: Bearer <token>'")
        grant = self._tokens.grant(token)
        if grant is None:
            raise Rejected(401, "unknown_token", "there is no such token in tidemark.yaml")
        if needed not in grant.scopes:
            raise Rejected(403, "missing_scope", f"the token '{grant.name}' has not the scope '{needed}'")
        if grant.namespaces.names is not None:
            _check_tenant(scope["path"], grant)
            scope[NAMESPACES] = grant.namespaces
        if scope["path"].startswith("/tap/"):  # what was meant for us is none of the upstream's
            scope["headers"] = [header for header in scope["headers"] if header[0] != carrier]


def needed_scope(method: str, path: str) -> TokenScope | None:
    """None = open to everyone, or guarded elsewhere."""
    if path in _OPEN or f"{path}/".startswith("/clickhouse/"):
        return None
    if path.startswith("/tap/") or (method == "POST" and path in _INGEST):
        return "ingest"
    return "read" if method in ("GET", "HEAD") else "admin"


def credentials(headers: Headers) -> tuple[bytes, bytes]:
    """The header that carries the token, and the token; b'' without one.

    Basic is understood with any user and the token as the password, for senders that can only be given a URL: KServe's
    logger and other Go programs make it of https://any:<token>@host/. And for browsers, which ask their user for it.
    """
    given = {name: value for name, value in headers if name in _CARRIERS}
    if token := given.get(OWN_HEADER):
        return OWN_HEADER, token
    scheme, _, value = given.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"basic":
        return b"authorization", b"" if _cross_site(headers) else _password(value.strip())
    return b"authorization", value.strip() if scheme.lower() == b"bearer" else b""


_CARRIERS = (OWN_HEADER, b"authorization")


def _cross_site(headers: Headers) -> bool:
    """A browser adds the password it once asked for to calls that other sites make it send."""
    return any(name == b"sec-fetch-site" and value not in (b"same-origin", b"none") for name, value in headers)


def _password(value: bytes) -> bytes:
    try:
        return b64decode(value, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _check_tenant(path: str, grant: Grant) -> None:
    if path not in _TENANTS and not path.startswith(_TENANTS_BELOW):
        detail = f"it shows or changes every namespace, and the token '{grant.name}' may use only: {grant.namespaces}"
        raise Rejected(403, FORBIDDEN, detail)


async def _refuse(scope: Scope, send: Send, error: Rejected, needed: TokenScope) -> None:
    """Problem details with the challenges of RFC 6750, section 3; a browser that reads is also asked for a password."""
    status, body = problem(error)
    headers = [(b"content-type", b"application/problem+json"), (b"www-authenticate", _challenge(error, needed))]
    if status == 401 and scope["method"] in ("GET", "HEAD"):
        headers.append(_BASIC)
    await answer(send, status, orjson.dumps(body), headers)


def _challenge(error: Rejected, needed: TokenScope) -> bytes:
    said = {
        "no_token": "",
        "unknown_token": ', error="invalid_token"',
        "missing_scope": f', error="insufficient_scope", scope="{needed}"',
    }
    return f"Bearer {_REALM}{said.get(error.code, '')}".encode()
