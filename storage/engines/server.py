"""A ClickHouse server, over HTTP with clickhouse-connect."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager
from clickhouse_connect.driver.summary import QuerySummary
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from core.errors import StoreError, StoreUnavailable
from storage.engine import SESSION, Limits, Params, read_only_settings
from storage.engines.address import Address
from storage.engines.columns import INSERT_FORMAT, RESULT_FORMAT, from_result, to_insert, to_rows, with_datetimes
from storage.engines.faults import code_of, store_error
from storage.engines.parameters import texts
from storage.engines.statement import insert_into, one_statement

CONNECT_SECONDS = 5
_WRAPPING = re.compile(r"^.*?server response: | \(for url \S+\)$", re.DOTALL)
# Without a code of ClickHouse: a status of some other server, at a wrong address. 408 and 429 ask for patience.
_REFUSED = re.compile(r"HTTP status 4(?!08|29)")
# The answer to a write comes when it is done, so that its status and summary are the final ones.
_WAIT = {"wait_end_of_query": "1"}


class ServerEngine:
    """The Engine over one server. Without server-side sessions one client serves all threads, each on a connection."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._pool = _pinned(address.fingerprint)
        with self._errors():
            self._client = _connect(address, self._pool)
        self._use(address.database)

    @property
    def url(self) -> str:
        return str(self._address)

    def arrow(self, sql: str, params: Params | None = None, limits: Limits | None = None) -> pa.Table:
        statement = one_statement(sql)
        table = self._select(statement, params, limits)
        return with_datetimes(table, lambda: self._select(f"DESCRIBE (\n{statement}\n)", params, None))

    def rows(self, sql: str, params: Params | None = None) -> list[dict[str, Any]]:
        return to_rows(self.arrow(sql, params))

    def command(self, sql: str, params: Params | None = None) -> None:
        with self._errors():
            _check_no_error(self._client.command(one_statement(sql), _bound(params), settings=_WAIT))

    def insert(self, table: str, data: pa.Table | pa.RecordBatch, token: str = "") -> None:
        insert = insert_into(table, data.schema.names, token or str(uuid4()), INSERT_FORMAT)
        # As a command the insert is sent once; the driver's own insert is sent again when the connection is lost.
        with self._errors():
            answer = self._client.command(insert.sql(), data=to_insert(data, "lz4"), settings=_WAIT)
        _check_written(answer, data.num_rows)

    def close(self) -> None:
        self._client.close()
        if self._pool:  # the driver closes only its own
            self._pool.clear()

    def _select(self, sql: str, params: Params | None, limits: Limits | None) -> pa.Table:
        settings = read_only_settings(limits) if limits else None
        with self._errors():
            body = self._client.raw_query(sql, _bound(params), settings, fmt=RESULT_FORMAT)
        return from_result(body)

    def _use(self, database: str) -> None:
        if self.rows("SELECT name FROM system.databases WHERE name = {name:String}", {"name": database}) == []:
            self.command("CREATE DATABASE IF NOT EXISTS {name:Identifier}", {"name": database})
        self._client.database = database

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What the driver raises, as StoreError; without a code of ClickHouse it is the network or a proxy."""
        try:
            yield
        except (ClickHouseError, HTTPError, OSError, ValueError) as e:
            code = getattr(e, "code", None) or code_of(str(e))
            if code:
                raise store_error(_WRAPPING.sub("", str(e)), code) from None
            refused = _REFUSED.search(str(e))
            raise (StoreError if refused else StoreUnavailable)(f"{self.url}: {_root(e)}") from None


class _Text:
    """A parameter's text, to be sent as it is: the driver would escape a str again, and cuts microseconds off."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def _bound(params: Params | None) -> dict[str, Any]:
    return {name: _Text(text) for name, text in texts(params).items()}


def _connect(address: Address, pool: PoolManager | None) -> Client:
    clickhouse_connect.common.set_setting("max_error_size", 0)  # whole error texts; we shorten them ourselves
    return clickhouse_connect.get_client(
        interface="https" if address.secure else "http",
        host=address.host,
        port=address.port,
        username=address.user,
        password=address.password,
        proxy_path=address.path,
        connect_timeout=CONNECT_SECONDS,
        send_receive_timeout=address.timeout_seconds,
        settings=SESSION,
        autogenerate_session_id=False,
        dedicated_pool=pool is None,
        pool_mgr=pool,
        client_name="tidemark",
    )


def _pinned(fingerprint: str) -> PoolManager | None:
    """Connections that trust one certificate, whoever signed it and for whatever name."""
    return get_pool_manager(verify=False, assert_fingerprint=fingerprint) if fingerprint else None


def _check_written(answer: object, rows: int) -> None:
    """An insert is stored when the server says how many rows it wrote, and nothing else. Views add to the number."""
    _check_no_error(answer)
    if not isinstance(answer, QuerySummary):
        raise StoreError(f"unexpected answer to an insert: {str(answer)[:200]}")
    if not str(answer.summary.get("written_rows", "")).isdigit() or answer.written_rows < rows:
        raise StoreUnavailable(f"the server does not confirm the insert of {rows} rows: {answer.summary}")


def _check_no_error(answer: object) -> None:
    """An error after the 200 is in the answer's text: the headers were gone already."""
    if not isinstance(answer, QuerySummary) and "DB::Exception" in (text := str(answer)):
        raise store_error(text[text.index("Code: ") :] if "Code: " in text else text)


def _root(error: BaseException) -> str:
    """The first cause: what the driver says of it carries the whole address, parameters and all."""
    while (cause := error.__cause__ or getattr(error, "reason", None)) is not None:
        if not isinstance(cause, BaseException):
            break
        error = cause
    return _WRAPPING.sub("", str(error)) or type(error).__name__
