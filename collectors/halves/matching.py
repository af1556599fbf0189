"""Which halves belong together: pure functions of those in memory and those in the half store."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from collectors.building.exchanges import Exchange
from core.records import Half, HalfKind, RequestKey


def other(half: Half) -> HalfKind:
    """What kind its partner is of."""
    return "response" if half.kind == "request" else "request"


def exchange_of(one: Half, partner: Half) -> Exchange:
    return Exchange(one, partner) if one.kind == "request" else Exchange(partner, one)


def by_key(halves: Iterable[Half]) -> Mapping[RequestKey, list[Half]]:
    found: dict[RequestKey, list[Half]] = defaultdict(list)
    for half in halves:
        found[half.key].append(half)
    return found


def pairs(halves: Sequence[Half], kept: Sequence[Half]) -> Iterator[tuple[Half, Half]]:
    """Each of `halves` with its other half, of those that are kept under its key: the first request belongs to the
    first response, and so on. None for a half that another collector has completed."""
    ours = {half.id: half for half in halves}
    for pair in zip(_distinct(kept, "request"), _distinct(kept, "response"), strict=False):
        first, second = sorted(pair, key=lambda one: (one.id not in ours, one.received))
        if first.id in ours:
            yield ours[first.id], second


def _distinct(kept: Sequence[Half], kind: HalfKind) -> list[Half]:
    """In the order they came, each once: several collectors may hold the same."""
    found: list[Half] = []
    for half in sorted(kept, key=lambda half: half.received):
        if half.kind == kind and not any(_same(half, one) for one in found):
            found.append(half)
    return found


def _same(one: Half, half: Half) -> bool:
    return one.kind == half.kind and one.body == half.body


def again(pair: Sequence[Half], kept: Sequence[Half]) -> Iterator[Half]:
    for one in kept:
        for half in pair:
            if _same(one, half) and one.received != half.received:
                yield one._replace(payload=half.payload)
