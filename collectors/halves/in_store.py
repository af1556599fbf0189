"""The halves that this collector has left in the half store.

Whatever comes for one of them goes there at once. It must not pair with what came later under the same id: of two
predictions that share an id, the first request belongs to the first response.
"""

from collections.abc import Iterable

from collectors.halves.matching import other
from core.records import Half, HalfId, HalfKind, RequestKey

MOST = 100_000  # some 45 MB; beyond, the oldest are forgotten here and pair some seconds later


class InStore:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._halves: dict[tuple[RequestKey, HalfKind], list[HalfId]] = {}  # of one key in the order they came

    def add(self, halves: Iterable[HalfId]) -> None:
        for half in halves:
            same = self._halves.setdefault((half.key, half.kind), [])
            if half not in same:
                same.append(half)
        while len(self._halves) > self._most:
            del self._halves[next(iter(self._halves))]

    def discard(self, half: HalfId) -> None:
        """It has its other half, or is in memory again."""
        same = self._halves.get((half.key, half.kind), [])
        if half in same:
            same.remove(half)
            if not same:
                del self._halves[half.key, half.kind]

    def claim(self, half: Half, before: int) -> bool:
        """Whether one that came before `before` (microseconds) waits for `half`; it then waits for no other."""
        if not self._halves:
            return False
        partners = self._halves.get((half.key, other(half)))
        if not partners or partners[0].received >= before:
            return False
        self.discard(partners[0])
        return True
