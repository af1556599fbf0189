"""Where a list goes on: opaque to whoever reads it, the sort key of its last row inside."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from core.errors import Rejected
from core.times import from_micros, to_micros


def pack(key: Sequence[Any]) -> str:
    """`key` holds texts and times."""
    plain = [to_micros(value) if isinstance(value, datetime) else value for value in key]
    return base64.urlsafe_b64encode(orjson.dumps(plain)).decode()


def unpack(cursor: str, kinds: Sequence[type]) -> tuple[Any, ...]:
    """The key that `pack` was given; `kinds` says where it has texts and where times. Rejected for anything else."""
    try:
        plain = orjson.loads(base64.urlsafe_b64decode(cursor))
        pairs = zip(kinds, plain, strict=True)
        return tuple(from_micros(int(value)) if kind is datetime else str(value) for kind, value in pairs)
    except (binascii.Error, ValueError, TypeError, OverflowError):
        raise Rejected(400, "bad_cursor", "not the 'next' of an earlier page", "cursor") from None
