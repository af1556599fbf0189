"""Mutations of an input: of its bytes, of the numbers and words in it, and of the JSON it may hold."""

import json
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

TOKENS = [
    *(b"inputs outputs instances predictions data names ndarray tensor values shape datatype parameters id".split()),
    *(b"binary_data_size content_type base64 b64 strData jsonData binData error status meta puid name".split()),
    *(b"specversion type source time data_base64 datacontenttype traceparent model version namespace".split()),
    *(b"BOOL UINT8 INT64 UINT64 FP16 FP32 FP64 BF16 BYTES NaN Infinity -Infinity null true false".split()),
    *(b"latency weight tags trace_id model_name model_version inferenceservicename request response".split()),
    *(b'{} [] "" [[]] [{}] {"":0} , : " [ ] { } \\" \\\\ \x00 \xff \xed\xa0\x80'.split()),
    *(b"\\u0000 \\ud800 \\uD83D\\uDE00".split()),
    b"\n",
    b"\n\n",
    b"\x1f\x8b\x08",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
]
NUMBERS = [
    *(b"0 -0 -1 1 2 3 10 255 256 1024 1025 65536 0.5 -0.0 1e308 1e309 -1e400 5e-324 1e-400".split()),
    *(b"9007199254740991 9007199254740992 9007199254740993 -9007199254740993 2147483648 4294967296".split()),
    *(b"9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809".split()),
    *(b"18446744073709551615 18446744073709551616 1000000000 1000000000000".split()),
    b"1" + b"0" * 400,
    b"1" * 5000,
]
_DIGITS = b"0123456789"
_MOST_BYTES = 1 << 16

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutated(random: Random, seeds: Sequence[bytes]) -> bytes:
    """One of `seeds` after one to six mutations."""
    data = random.choice(seeds)
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        data = random.choice(_MUTATIONS)(random, data, seeds)[:_MOST_BYTES]
    return data


def _flip(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + bytes(b ^ 1 << random.randrange(8) for b in data[at : at + 1]) + data[at + 1 :]


def _byte(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + bytes([random.choice((0, 1, 127, 128, 255, random.randrange(256)))]) + data[at + 1 :]


def _cut(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start = random.randrange(len(data) + 1)
    return data[:start] + data[start + random.choice((1, 2, 4, 8, 64, len(data))) :]


def _repeat(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start = random.randrange(len(data) + 1)
    part = data[start : start + random.choice((1, 2, 8, 64))]
    return data[:start] + part * random.choice((2, 3, 50)) + data[start:]


def _splice(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = random.choice(seeds)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _token(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(TOKENS) + data[at + random.choice((0, 0, 1, 4)) :]


def _number(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """Another number in the place of one that is there."""
    starts = [i for i, byte in enumerate(data) if byte in _DIGITS and (i == 0 or data[i - 1] not in _DIGITS)]
    if not starts:
        return _token(random, data, seeds)
    start = end = random.choice(starts)
    while end < len(data) and data[end] in b"0123456789.eE+-":
        end += 1
    return data[:start] + random.choice(NUMBERS) + data[end:]


def _integer(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """A binary length or offset that lies."""
    width = random.choice((2, 4, 8))
    value = random.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1, len(data)))
    at = random.randrange(len(data) + 1) & random.choice((~0, ~3, ~7))
    return data[:at] + (value % 2 ** (8 * width)).to_bytes(width, "little") + data[at + width :]


def _zip(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    head, blank, body = data.partition(b"\n\n")
    zipper = zlib.compressobj(1, wbits=random.choice((31, 31, 15, -15)))
    return head + blank + zipper.compress(body) + zipper.flush()


def _json(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """A node of the body's JSON replaced, removed, repeated or wrapped."""
    head, blank, body = data.partition(b"\n\n")
    try:
        document = json.loads(body)
        change(random, document)
        return head + blank + json.dumps(document).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return _token(random, data, seeds)


def change(random: Random, document: Any) -> None:
    places = list(_places(document))
    if not places:
        return
    holder, key = random.choice(places)
    act = random.randrange(5)
    if act == 0:
        holder[key] = _value(random)
    elif act == 1:
        holder[key] = [holder[key]] * random.choice((1, 2, 2000)) if random.random() < 0.7 else {"a": holder[key]}
    elif act == 2:
        del holder[key]
    elif act == 3:
        other, place = random.choice(places)
        holder[key] = json.loads(json.dumps(other[place]))
    elif isinstance(holder, dict):
        holder[random.choice(TOKENS).decode("latin-1")] = holder.pop(key)
    else:
        holder.insert(key, _value(random))


def _places(node: Any) -> Any:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in items:
        yield node, key
        yield from _places(inner)


def _value(random: Random) -> Any:
    text = random.choice(TOKENS).decode("latin-1")
    whole = random.choice((0, -1, 1, 2, 2**53, 2**53 + 1, 2**63, -(2**63) - 1, 10**25, 10**400))
    number = random.choice((0.5, -0.0, 1e308, 5e-324, float("inf"), float("nan"), 1e22, 3.0))
    return random.choice((text, whole, number, None, True, [], {}, [[]], [{}], "", "\x00", {"b64": "QQ=="}, [1, "a"]))


_MUTATIONS: list[Mutation] = [_flip, _byte, _cut, _repeat, _splice, _token, _number, _number, _integer, _zip]
_MUTATIONS += [_json] * 8
