"""Values of `{name:Type}` parameters as ClickHouse reads them, the same text for both engines."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from storage.engine import Params

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f"})


def texts(params: Params | None) -> dict[str, str]:
    """Each value as the text of its parameter. Datetimes are taken to UTC, with their microseconds.

    Takes None, bool, int, float, str, date, datetime, and lists, tuples and mappings of these.
    """
    return {name: _outer(value) for name, value in (params or {}).items()}


def _outer(value: Any) -> str:
    """A parameter alone is written as in TSV: no quotes, and Null has a sign of its own."""
    if value is None:
        return "\\N"
    return _plain(value) if isinstance(value, str | date) else _inner(value)


def _inner(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case str() | date():
            return f"'{_plain(value)}'"
        case Mapping():
            return "{" + ",".join(f"{_inner(k)}:{_inner(v)}" for k, v in value.items()) + "}"
        case tuple():
            return "(" + ",".join(map(_inner, value)) + ")"
        case Sequence():
            return "[" + ",".join(map(_inner, value)) + "]"
        case _:
            return str(value)


def _plain(value: str | date) -> str:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.translate(_ESCAPES) if isinstance(value, str) else value.isoformat()
