"""Predictions and findings in ClickHouse: the engines, the schema, and every statement Tidemark sends them."""

from pathlib import Path
from typing import Literal, overload

import pyarrow as pa

from core.errors import ConfigError, StoreError, StoreUnavailable
from storage.engine import Engine, Limits
from storage.engines.address import Address, parse
from storage.engines.embedded import EmbeddedEngine
from storage.engines.handles import LOCKED
from storage.engines.statement import format_of, read_only
from storage.serving import owner


@overload
def open_engine(url: str, own: Literal[True]) -> EmbeddedEngine: ...
@overload
def open_engine(url: str, own: bool = False) -> Engine: ...
def open_engine(url: str, own: bool = False) -> Engine:
    """The store at `chdb://DIR` or `clickhouse[s]://user:password@host:8123/tidemark`.

    A folder that another process owns is reached through that process, unless `own`: then this process must be the
    owner. StoreOwned says who holds it. ConfigError when the URL is wrong or a server cannot be owned.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "chdb" and rest:
        folder = Path(rest).absolute()
        return _embedded(folder) if own else _folder(folder)
    if scheme in ("clickhouse", "clickhouses") and not own:
        return _server(parse(url))
    wanted = "chdb://DIR" if own else "chdb://DIR or clickhouse://user:password@host:8123/tidemark"
    raise ConfigError(f"--store {scheme}://…: this command wants {wanted}")


def exists(url: str) -> bool:
    """False for the folder of an embedded store that nobody has made yet."""
    scheme, _, rest = url.partition("://")
    return scheme != "chdb" or Path(rest).exists()


def query(engine: Engine, sql: str, limits: Limits | None = None) -> pa.Table:
    """The result of a user's statement, which can only read, within limits. StoreError says what is refused."""
    statement = read_only(sql)
    if named := format_of(statement):
        raise StoreError(f"FORMAT {named} is refused: the result comes in a form of its own")
    return engine.arrow(statement, limits=limits or Limits())


def _folder(folder: Path) -> Engine:
    found = owner.live_owner(folder)
    if found is None:
        return _embedded(folder)
    try:
        return _server(found.address())
    except StoreUnavailable as e:
        raise owner.unreachable(folder, found, e) from None


def _embedded(folder: Path) -> EmbeddedEngine:
    owner.refuse_if_held(folder)
    try:
        return EmbeddedEngine(folder)
    except StoreError as e:
        raise (owner.in_use(folder) if LOCKED in str(e) else e) from None


def _server(address: Address) -> Engine:
    from storage.engines.server import ServerEngine  # the driver costs 0.1 s and 15 MB

    return ServerEngine(address)
