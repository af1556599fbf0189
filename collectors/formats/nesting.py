"""How deep JSON is nested, without parsing it again: recursion over it must stay far from any stack's end."""

import numpy as np

from core.config import Limits
from core.errors import Rejected

_MARKS = b'"[]{}'
_OTHERS = bytes(set(range(256)) - set(_MARKS))
_QUOTE = _MARKS[0]
_STEPS = np.zeros(256, np.int32)
_STEPS[[ord("["), ord("{")]] = 1
_STEPS[[ord("]"), ord("}")]] = -1
_CHUNK_BYTES = 1 << 20  # so that the arrays stay small whatever the text


def check_nesting(text: bytes, limits: Limits) -> None:
    """Rejected when `text`, which is JSON, has more lists and objects inside each other than are allowed."""
    if text.count(b"[") + text.count(b"{") > limits.nesting and _depth(text) > limits.nesting:
        raise Rejected(400, "too_deep", f"JSON nested more than {limits.nesting} deep (limits.nesting)")


def _depth(text: bytes) -> int:
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = np.frombuffer(text.translate(None, _OTHERS), np.uint8)
    deepest = depth = quotes = 0
    for start in range(0, len(marks), _CHUNK_BYTES):
        part = marks[start : start + _CHUNK_BYTES]
        counted = quotes + np.cumsum(part == _QUOTE)
        depths = depth + np.cumsum(np.where(counted & 1, 0, _STEPS[part]))
        deepest, depth, quotes = max(deepest, int(depths.max())), int(depths[-1]), int(counted[-1])
    return deepest
