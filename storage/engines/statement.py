"""SQL as text: how many statements it is, whether it only reads, and where an INSERT's rows begin."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from core.errors import StoreError
from storage.engines.lexer import Token, tokens

READS = ("SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "(")
# Functions that reach out of the database. readonly = 1 refuses most of them, but neither the function file() nor
# reading a structure (DESCRIBE url(…)), which hangs for minutes on a silent address (each tried on ClickHouse 26.9).
OUTSIDE = re.compile(
    r"file(cluster|system)?|url(cluster)?|(s3|hdfs|hudi|azureblobstorage)(cluster)?|(iceberg|deltalake|paimon)\w*"
    r"|remote(secure)?|cluster(allreplicas)?|gcs|oss|cosn|mysql|postgresql|sqlite|mongodb|redis|odbc|jdbc|bigquery"
    r"|ytsaurus|arrowstream|python|executable|eval",
    re.IGNORECASE,
)


class Insert(NamedTuple):
    """An INSERT whose rows come apart from it: `INSERT INTO t (a)`, `SETTINGS …` or '', the rows' format.

    In a text that holds both, the rows begin at `rows_at`.
    """

    into: str
    settings: str
    format: str
    rows_at: int = 0

    def sql(self) -> str:
        return f"{self.into} {self.settings} FORMAT {self.format}"

    def sql_from_file(self, path: str) -> str:
        return f"{self.into} FROM INFILE {_quoted_text(path)} {self.settings} FORMAT {self.format}"


def read_only(sql: str) -> str:
    """The one reading statement in `sql`, without its semicolon; StoreError says what is not allowed.

    readonly = 1 is what protects the tables. This refuses what it lets through: INTO OUTFILE, KILL, and the functions
    of OUTSIDE.
    """
    statement = one_statement(sql)
    found = list(tokens(statement))
    if found[0].value.upper() not in READS:
        raise StoreError(f"read-only: {found[0].value} is refused; a query begins with {', '.join(READS[:-1])}", 164)
    for token, after in pairwise(found):
        if token.is_word("INTO") and after.is_word("OUTFILE"):
            raise StoreError("read-only: INTO OUTFILE is refused", 164)
        if after.is_mark("(") and token.kind in ("word", "name") and OUTSIDE.fullmatch(token.value):
            raise StoreError(f"read-only: the function {token.value}() is refused", 164)
    return statement


def one_statement(sql: str) -> str:
    """The only statement in `sql`; the engine would run several, one after the other, without a word."""
    found = split(sql)
    if len(found) != 1:
        raise StoreError(f"SQL: one statement is wanted, there are {len(found)}", 62)
    return found[0]


def split(sql: str) -> list[str]:
    """The statements of a script, without the semicolons between them."""
    cuts = [t for t in tokens(sql) if t.is_mark(";")]
    starts = [0, *(t.end for t in cuts)]
    ends = [*(t.start for t in cuts), len(sql)]
    parts = [sql[a:b] for a, b in zip(starts, ends, strict=True)]
    return [part.strip() for part in parts if next(tokens(part), None)]


def format_of(sql: str) -> str | None:
    """The name in the statement's own FORMAT clause."""
    names = [b.value for a, b in pairwise(_outermost(tokens(sql))) if a.is_word("FORMAT") and b.kind == "word"]
    return names[-1] if names else None


def insert_with_rows(text: str) -> Insert | None:
    """The INSERT … FORMAT that `text` begins with; None for any other statement, INSERT … SELECT and VALUES included.

    What follows the format's name is not read: it is rows, and need not be SQL.
    """
    outer = _outermost(tokens(text))
    first = next(outer, None)
    if first is None or not first.is_word("INSERT"):
        return None
    settings = None
    for token in outer:
        if token.is_word("SELECT", "VALUES", "WITH", "INFILE"):
            return None
        if token.is_word("SETTINGS"):
            settings = token.start
        if token.is_word("FORMAT") and (name := next(outer, None)):
            cut = token.start if settings is None else settings
            return Insert(text[:cut].strip(), text[cut : token.start].strip(), name.value, name.end)
    return None


def insert_into(table: str, columns: Sequence[str], token: str, rows_format: str) -> Insert:
    """The INSERT of a block of columns."""
    into = f"INSERT INTO {_quoted_name(table)} ({', '.join(map(_quoted_name, columns))})"
    # Newer servers gather inserts of several clients into blocks of their own (seen as a default in 26.9).
    settings = f"SETTINGS insert_deduplication_token = {_quoted_text(token)}, async_insert = 0"
    return Insert(into, settings, rows_format)


def _outermost(found: Iterable[Token]) -> Iterator[Token]:
    depth = 0
    for token in found:
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0:
            yield token


def _quoted_name(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _quoted_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
