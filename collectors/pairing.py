"""Requests and responses that come separately, in any order, become exchanges by their request key.

A half waits in memory for `patience` seconds and then in the half store, where any collector over the same store finds
it. Each sweep first keeps its own halves there and then asks for their partners: of two collectors that hold the two
halves, the later one sees both. Halves leave the half store only when their prediction is stored: a crash in between
makes the same prediction twice, which is one.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Lock

from collectors.exchanges import Exchange
from collectors.recent import Recent, Seen
from core.errors import Rejected
from core.protocols import HalfStore
from core.records import Half, HalfKind, RequestKey

PATIENCE_SECONDS = 5.0
FOREVER = 2**63 - 1  # microseconds: by then every half has waited long enough
HALF_BYTES = 1_000  # what a half costs in memory beside its body and its tensors

log = logging.getLogger("tidemark.collector")


class Pairing:
    """`decode` fills the payload of a half that comes back from the store; `patience` is in seconds.

    Halves received before `started` come from the log: the log may have forgotten their other half, because their
    prediction is stored.
    """

    def __init__(
        self, store: HalfStore, decode: Callable[[Half], Half], patience: float = PATIENCE_SECONDS, started: int = 0
    ) -> None:
        self._store, self._decode, self._started = store, decode, started
        self.patience = int(patience * 1e6)
        self._waiting: dict[tuple[RequestKey, HalfKind], Half] = {}
        self._displaced: list[Half] = []  # same key and kind as a waiting one, other content: both are kept
        self._completed: list[Half] = []
        self._bytes = 0
        self._recent = Recent(100_000)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._displaced)

    @property
    def bytes(self) -> int:
        """Memory that the waiting halves take."""
        return self._bytes

    def add(self, half: Half) -> Exchange | Seen:
        """The exchange that `half` completes; else NEW, or DUPLICATE for one that was sent again."""
        key = (half.key, half.kind)
        with self._lock:
            seen = self._recent.see(key, hash(half.body))
            if seen is Seen.DUPLICATE:
                return seen
            other = self._waiting.pop((half.key, _other(half)), None)
            if other is not None:
                self._bytes -= half_bytes(other)
                return _exchange(half, other)
            if key in self._waiting:
                self._displaced.append(self._waiting[key])
            self._waiting[key] = half
            self._bytes += half_bytes(half)
            return seen

    def sweep(self, now: int) -> list[Exchange]:
        """Move halves that have waited long enough by `now` (microseconds) to the store; return the pairs found there.

        StoreUnavailable leaves them all waiting. Call `settle` when what was returned is stored.
        """
        with self._lock:
            due = [h for h in self._waiting.values() if h.received + self.patience <= now] + self._displaced
        due = self._without_predicted(due)
        if not due:
            return []
        self._store.keep(due)
        kept = self._store.kept({half.key for half in due})
        return self._paired(self._released(due), kept)

    def settle(self) -> None:
        """What `sweep` returned is stored: its halves wait no more."""
        if self._completed:
            self._store.complete(self._completed)
            self._completed = []

    def _without_predicted(self, due: list[Half]) -> list[Half]:
        """Lets go of halves from the log whose prediction is stored."""
        keys = {half.key for half in due if half.received < self._started}
        predicted = self._store.predicted(keys) if keys else {}
        done = [half for half in due if half.received <= predicted.get(half.key, -1)]
        self._completed += self._released(done)  # one of them may lie in the store as well
        chosen = {id(half) for half in done}
        return [half for half in due if id(half) not in chosen]

    def _released(self, due: Sequence[Half]) -> list[Half]:
        """Let go of halves that are in the store; returns those that no partner has reached meanwhile."""
        chosen = {id(half) for half in due}
        with self._lock:
            alone = [h for h in (*self._waiting.values(), *self._displaced) if id(h) in chosen]
            self._waiting = {key: h for key, h in self._waiting.items() if id(h) not in chosen}
            self._displaced = [h for h in self._displaced if id(h) not in chosen]
            self._bytes -= sum(map(half_bytes, alone))
        chosen -= {id(half) for half in alone}
        self._completed += [half for half in due if id(half) in chosen]
        return alone

    def _paired(self, alone: Sequence[Half], kept: Sequence[Half]) -> list[Exchange]:
        by_key = {(half.key, half.kind): half for half in kept}
        pairs = {h.key: (h, by_key[(h.key, _other(h))]) for h in alone if (h.key, _other(h)) in by_key}
        exchanges = []
        for half, partner in pairs.values():
            try:
                exchanges.append(_exchange(half, self._decode(partner)))
            except Rejected as error:
                log.warning("a kept %s of %s cannot be read any more: %s", partner.kind, "/".join(partner.key), error)
            else:
                self._completed += [half, partner]
        return exchanges


def half_bytes(half: Half) -> int:
    return HALF_BYTES + len(half.body) + sum(tensor.values.nbytes for tensor in half.payload.tensors)


def _other(half: Half) -> HalfKind:
    return "response" if half.kind == "request" else "request"


def _exchange(half: Half, other: Half) -> Exchange:
    return Exchange(half, other) if half.kind == "request" else Exchange(other, half)
