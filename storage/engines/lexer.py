"""ClickHouse's SQL, cut into tokens: enough to see where a statement ends and what it calls."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from core.errors import StoreError

# What is not a whole token of this list is refused, and so are the two forms that could hide a statement's end from us
# but not from ClickHouse: comments inside comments and heredoc strings.
_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|//[^\n]*|\#[\ !][^\n]*|/\*(?:(?!/\*|\*/).)*\*/)
    |(?P<text>'(?:[^'\\]|\\.|'')*'|\u2018[^\u2019]*\u2019)
    |(?P<name>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"|\u201c[^\u201d]*\u201d)
    |(?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    |(?P<number>[0-9][A-Za-z0-9_]*)
    |(?P<mark>[^'"`\u2018\u201c$/\s]|/(?![/*])|\$(?![A-Za-z0-9_]*\$))
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """`kind` is text, name (quoted), word, number or mark; `value` has no quotes; it is at [start, end) of the SQL."""

    kind: str
    value: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.value.upper() in words

    def is_mark(self, mark: str) -> bool:
        return self.kind == "mark" and self.value == mark


def tokens(sql: str) -> Iterator[Token]:
    """Tokens in order, without spaces and comments. StoreError at what cannot be one."""
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        if match is None or match.lastgroup is None:
            line = sql.count("\n", 0, at) + 1
            raise StoreError(
                f"SQL: cannot read line {line} from {sql[at : at + 20]!r} (a quote or comment left open?)", 62
            )
        at = match.end()
        if match.lastgroup != "space":
            yield Token(match.lastgroup, _bare(match.lastgroup, match[0]), match.start(), at)


def _bare(kind: str, text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if kind in ("text", "name") else text
