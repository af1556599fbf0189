"""How deep JSON may be nested."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.formats.body import loads
from core.config import Limits
from core.errors import Rejected

LIMITS = Limits(nesting=8)
text = st.text(st.sampled_from('[]{}"\\a\n'), max_size=8)  # what must not be taken for nesting
values = st.recursive(text, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(value=values, around=st.integers(0, 9))
@settings(max_examples=400, deadline=None)
def test_json_is_read_when_it_is_no_deeper_than_the_limit(value: Any, around: int) -> None:
    for _ in range(around):
        value = [[], value, {}, "]"]
    body = orjson.dumps(value)
    if depth(value) <= LIMITS.nesting:
        assert loads(body, LIMITS) == value
    else:
        with pytest.raises(Rejected, match=r"limits\.nesting"):
            loads(body, LIMITS)


def test_brackets_beyond_one_chunk_are_counted_on() -> None:
    flat = b"[" + b"[]," * 1_000_000
    assert loads(flat + b"[" * 7 + b"]" * 7 + b"]", LIMITS)
    with pytest.raises(Rejected, match=r"limits\.nesting"):
        loads(flat + b"[" * 8 + b"]" * 8 + b"]", LIMITS)
