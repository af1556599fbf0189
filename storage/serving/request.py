"""What clients of the ClickHouse HTTP protocol ask, as values."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from uuid import uuid4

from core.errors import StoreError
from storage.engine import Limits, read_only_settings
from storage.engines.handles import DATABASE
from storage.engines.statement import Insert, insert_with_rows, one_statement, read_only
from storage.serving.answer import unpacked

# Names in the query string that are no settings. Answers are always whole, so the waiting and progress ones are met;
# a session is only a name here: temporary tables live in none, and creating one is refused by the engine.
_NO_SETTINGS = re.compile(
    r"query|query_id|database|default_format|user|password|session_(id|timeout|check)|quota_key|wait_end_of_query"
    r"|buffer_size|enable_http_compression|send_progress_in_http_headers|http_headers_progress_interval_ms"
    r"|cancel_http_readonly_queries_on_client_close|client_protocol_version|param_.*"
)
# Settings a client may give. Anything else is refused: some read files, some lift limits.
_SETTINGS = re.compile(
    r"readonly|max_(execution_time|memory_usage|result_rows|threads|block_size)|session_timezone|final"
    r"|insert_deduplication_token|date_time_(in|out)put_format|cast_string_to_dynamic_use_inference"
    r"|do_not_merge_across_partitions_select_final|output_format_(arrow|json|csv|tsv|native|parquet)_\w+"
    r"|input_format_(arrow|json|csv|tsv|native|parquet)_\w+"
)


class Credentials(NamedTuple):
    user: str
    password: str


@dataclass(frozen=True)
class Statement:
    """One statement with everything it runs with; an INSERT that brings its rows has them in `rows`."""

    sql: str
    format: str
    params: Mapping[str, str]
    settings: Mapping[str, str | int | float]
    query_id: str
    encodings: str = ""
    insert: Insert | None = None
    rows: bytes = b""


class Request:
    """Method, query string and headers of a request whose body is still to come."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._method: str = scope["method"]
        self._headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        self._query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        self.query_id = self._query.get("query_id") or str(uuid4())

    @property
    def asks_nothing(self) -> bool:
        return self._method == "GET" and "query" not in self._query

    def credentials(self) -> Credentials:
        """From the Authorization header, ClickHouse's own headers, or the query string, as ClickHouse does."""
        scheme, _, value = self._headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, password = b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise StoreError("the Authorization header cannot be read", 516) from None
            return Credentials(user, password)
        if scheme.lower() == "bearer":
            return Credentials("default", value.strip())
        return Credentials(
            self._headers.get("x-clickhouse-user") or self._query.get("user", "default"),
            self._headers.get("x-clickhouse-key") or self._query.get("password", ""),
        )

    def statement(self, body: bytes, limits: Limits | None) -> Statement:
        """The statement in query string and body; with `limits` it can only read, within them."""
        if (content_type := self._headers.get("content-type", "")).startswith("multipart/"):
            self._query.update(_form(content_type, body))
            body = b""
        limits = Limits() if limits is None and self._method == "GET" else limits
        sql, insert, rows = self._parts(unpacked(body, self._headers.get("content-encoding", "")))
        if limits is not None:
            sql = read_only(sql)
        return Statement(
            sql=sql,
            format=self._headers.get("x-clickhouse-format") or self._query.get("default_format", "TabSeparated"),
            params={k.removeprefix("param_"): v for k, v in self._query.items() if k.startswith("param_")},
            settings=self._settings(limits),
            query_id=self.query_id,
            encodings=self._encodings(),
            insert=insert,
            rows=rows,
        )

    def _parts(self, body: bytes) -> tuple[str, Insert | None, bytes]:
        """The SQL, or an INSERT and its rows. Latin-1 keeps a character a byte, whatever the rows are."""
        query = self._query.get("query", "").encode()
        whole = query + b"\n" + body if query and body else query + body
        found = insert_with_rows((query or body).decode("latin-1"))
        try:
            if found is None:
                return one_statement(whole.decode()), None, b""
            into, settings = (text.encode("latin-1").decode() for text in (found.into, found.settings))
        except UnicodeDecodeError:
            raise StoreError("the statement is no UTF-8", 62) from None
        rows = re.sub(rb"^[ \t\r]*\n?", b"", whole[found.rows_at :], count=1)
        return into, found._replace(into=into, settings=settings), rows

    def _settings(self, limits: Limits | None) -> dict[str, str | int | float]:
        given = {k: v for k, v in self._query.items() if not _NO_SETTINGS.fullmatch(k)}
        refused = [name for name in given if not _SETTINGS.fullmatch(name)]
        if refused:
            raise StoreError(f"the setting {refused[0]} is not taken here", 115)
        database = self._query.get("database") or DATABASE
        if database not in (DATABASE, "default", "system"):
            raise StoreError(f"there is no database {database}, only {DATABASE}", 81)
        return {**given, **(_narrowed(given, limits) if limits else {}), "database": database}

    def _encodings(self) -> str:
        return self._headers.get("accept-encoding", "") if self._query.get("enable_http_compression") == "1" else ""


def _narrowed(given: Mapping[str, str], limits: Limits) -> dict[str, str]:
    """The house's limits, or smaller ones that the client gave. 0 is ClickHouse's word for no limit.

    As whole numbers where they are whole: chDB ignores, without a word, a setting that it cannot read.
    """
    narrowed = {}
    for name, most in read_only_settings(limits).items():
        try:
            value = float(given.get(name, 0))
        except ValueError:
            value = -1
        if not value >= 0:
            raise StoreError(f"{name} = {given[name]} is no limit", 72)
        narrowed[name] = f"{min(value or most, most):.15g}"
    return narrowed


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form: where clickhouse-connect puts parameters that are too long for an address."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    fields = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        if part.get_filename() is not None:
            raise StoreError("external data tables are not taken here", 48)
        value = part.get_payload(decode=True)
        fields[str(part.get_param("name", "", "content-disposition"))] = (
            value.decode() if isinstance(value, bytes) else ""
        )
    return fields
