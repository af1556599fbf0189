"""JSON with every digit of its integers: orjson reads those beyond 64 bits as floats, and cannot write them."""

import json
import re
from typing import Any

import orjson

_FLOATS = ("FP64", "FP32", "FP16", "BF16")
_DIGITS = 19  # of the shortest integer beyond 64 bits, -2^63 - 1
_MOST_DIGITS = 20  # of one within, with its sign
# Digits as 0, what may stand before a number as space: a value that begins with so many digits is then a fixed text,
# found in a few hundred nanoseconds where an expression takes microseconds.
_SHAPE = bytes(ord("0") if c in b"0123456789" else ord(" ") if c in b"[,:- \t\r\n" else ord("x") for c in range(256))
_LONG = b" " + b"0" * _DIGITS
# A fraction or an exponent makes a number a floating-point one.
_INTEGER = re.compile(rb"-?[0-9]++(?![.eE])")


def loads(text: bytes) -> Any:
    """As orjson does, but for integers. orjson.JSONDecodeError, RecursionError when nested too deep."""
    value = orjson.loads(text)
    inexact = not _is_of_float_tensors(value) and _has_long_integer(text)
    return json.loads(text.decode()) if inexact else value


def dumps(value: Any) -> bytes:
    """As orjson does, but for integers. orjson.JSONEncodeError."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        if "64-bit" not in str(error):
            raise
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except RecursionError:
        raise orjson.JSONEncodeError("nested too deep") from None


def _is_of_float_tensors(value: Any) -> bool:
    """Whether it is an inference whose every integer becomes a floating-point number anyway: most of all JSON."""
    if type(value) is not dict or any(type(value.get(name)) is float for name in ("id", "model_version")):
        return False
    tensors = value.get("inputs") or value.get("outputs")
    return type(tensors) is list and all(type(t) is dict and t.get("datatype") in _FLOATS for t in tensors)


def _has_long_integer(text: bytes) -> bool:
    """Of a text that is JSON; a value that is nothing but a number is not asked.

    What a string holds may be taken for one: Python's own parser then reads the same, in ten times as long. Times in
    nanoseconds have as many digits as the shortest, and are none.
    """
    shape = text.translate(_SHAPE)
    at = shape.rfind(_LONG)
    while at >= 0:
        found = _INTEGER.match(text, at) or _INTEGER.match(text, at + 1)  # from its sign, or behind what separates it
        if found and (len(found[0]) > _MOST_DIGITS or not -(2**63) <= int(found[0]) < 2**64):
            return True
        at = shape.rfind(_LONG, 0, at + _DIGITS)
    return False
