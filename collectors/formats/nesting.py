"""How deep JSON is nested and how many parts it has, without parsing it.

Recursion over it must stay far from any stack's end, and a list takes thirty times its two bytes once it is parsed.
"""

from typing import NamedTuple

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


def check_containers(text: bytes, limits: Limits) -> None:
    """Rejected when `text`, which may be JSON, has more lists and objects than are allowed."""
    many = len(text) > limits.containers and _at_most(text) > limits.containers
    if many and (count := _checked(text, limits)) > limits.containers:
        most = f"at most {limits.containers} are taken (limits.containers)"
        raise Rejected(413, "too_large", f"{count} lists and objects in one body of JSON; {most}")


def check_nesting(text: bytes, limits: Limits) -> None:
    """Rejected when `text`, which is JSON, has more lists and objects inside each other than are allowed."""
    if _at_most(text) > limits.nesting:
        _checked(text, limits)


def _checked(text: bytes, limits: Limits) -> int:
    """How many lists and objects there are; Rejected when they are nested too deep."""
    depth, containers = _measured(text)
    if depth > limits.nesting:
        raise Rejected(400, "too_deep", f"JSON nested more than {limits.nesting} deep (limits.nesting)")
    return containers


class _Measured(NamedTuple):
    depth: int
    containers: int


def _at_most(text: bytes) -> int:
    """Brackets, those in texts included."""
    return text.count(b"[") + text.count(b"{")


def _measured(text: bytes) -> _Measured:
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = np.frombuffer(text.translate(None, _OTHERS), np.uint8)
    deepest = depth = quotes = containers = 0
    for start in range(0, len(marks), _CHUNK_BYTES):
        part = marks[start : start + _CHUNK_BYTES]
        counted = quotes + np.cumsum(part == _QUOTE)
        steps = np.where(counted & 1, 0, _STEPS[part])
        depths = depth + np.cumsum(steps)
        containers += int((steps > 0).sum())
        deepest, depth, quotes = max(deepest, int(depths.max())), int(depths[-1]), int(counted[-1])
    return _Measured(deepest, containers)
