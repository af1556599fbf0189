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
    """The first half with the first of its other halves in the store, and so on; not those that another collector has
    completed."""
    free = list(kept)  # in the order they came
    for half in sorted(halves, key=lambda half: half.received):
        partner = next((one for one in free if one.kind == other(half)), None)
        if partner and any(one.id == half.id for one in free):
            ended = [half, partner]
            free = [one for one in free if not any(_same(one, end) for end in ended)]
            yield half, partner


def _same(one: Half, half: Half) -> bool:
    return one.kind == half.kind and one.body == half.body


def again(pair: Sequence[Half], kept: Sequence[Half]) -> Iterator[Half]:
    for one in kept:
        for half in pair:
            if _same(one, half) and one.received != half.received:
                yield one._replace(payload=half.payload)
