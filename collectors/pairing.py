"""Requests and responses that come separately, in any order, become exchanges by their request key.

A half waits in memory for `patience` seconds and then in the half store, where any collector over the same store finds
it. Each sweep first keeps its own halves there and then asks for their partners: of two collectors that hold the two
halves, the later one sees both. Halves leave the half store only when their prediction is stored: a crash in between
makes the same prediction twice, which is one.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

from collectors.exchanges import Exchange
from collectors.recent import Recent, Seen
from core.errors import Rejected
from core.protocols import START, HalfStore, Position
from core.records import Half, HalfKind, RequestKey

PATIENCE_SECONDS = 5.0
FOREVER = 2**63 - 1  # microseconds: by then every half has waited long enough
HALF_BYTES = 1_000  # what a half costs in memory beside its body and its tensors
REMEMBERED = 8192  # halves that are known over a restart: what a sender sends again because it heard nothing

log = logging.getLogger("tidemark.collector")


class Waiting(NamedTuple):
    """A half in memory, with its `mark` and the place in the log behind which its frame lies."""

    half: Half
    mark: int
    before: Position


class Found(NamedTuple):
    """A half of this collector, and the exchange that it made with one from the store."""

    half: Half
    partner: Half
    exchange: Exchange


class Swept(NamedTuple):
    """What became of halves that had waited long enough: alone in the store, a pair, or their prediction is stored.

    `partners` of those are halves that a crash left in the store beside their prediction.
    """

    kept: tuple[Half, ...] = ()
    found: tuple[Found, ...] = ()
    predicted: tuple[Half, ...] = ()
    partners: tuple[Half, ...] = ()


class Pairing:
    """`decode` fills the payload of a half that comes back from the store; `patience` is in seconds.

    Halves received before `started` come from the log: the log may have forgotten their other half, because their
    prediction is stored.
    """

    def __init__(
        self, store: HalfStore, decode: Callable[[Half], Half], patience: float = PATIENCE_SECONDS, started: int = 0
    ) -> None:
        self._store, self._decode, self._started = store, decode, started
        self._patience = int(patience * 1e6)
        self._waiting: dict[tuple[RequestKey, HalfKind], Waiting] = {}
        self._displaced: list[Waiting] = []  # same key and kind as a waiting one, other content: both are kept
        self._completed: list[Half] = []
        self._bytes = 0
        self._recent = Recent(100_000)
        self._marks: deque[int] = deque(maxlen=REMEMBERED)
        self._before_restart: Collection[int] = ()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._displaced)

    @property
    def bytes(self) -> int:
        """Memory that the waiting halves take."""
        return self._bytes

    def remember(self, marks: Collection[int]) -> None:
        """Halves that came before a restart: sent again they are duplicates."""
        self._before_restart = frozenset(marks)
        self._marks.extend(marks)

    def remembered(self) -> list[int]:
        """The marks of the newest halves, for `remember` after a restart."""
        return list(self._marks)

    def add(self, half: Half, before: Position = START) -> Exchange | Seen:
        """The exchange that `half` completes; else NEW, or DUPLICATE for one that was sent again."""
        found = mark(half)
        if found in self._before_restart:
            return Seen.DUPLICATE
        return self.wait(half, before, found)

    def wait(self, half: Half, before: Position, known: int) -> Exchange | Seen:
        """`add` for a half that is known to have been waiting when a process ended; `known` is its mark."""
        key = (half.key, half.kind)
        with self._lock:
            seen = self._recent.see(key, known)
            if seen is Seen.DUPLICATE:
                return seen
            self._marks.append(known)
            other = self._waiting.pop((half.key, _other(half)), None)
            if other is not None:
                self._bytes -= half_bytes(other.half)
                # A crash may have come between keeping one of them in the store and noting that.
                self._completed += [one for one in (half, other.half) if one.received < self._started]
                return _exchange(half, other.half)
            if key in self._waiting:
                self._displaced.append(self._waiting[key])
            self._waiting[key] = Waiting(half, known, before)
            self._bytes += half_bytes(half)
            return seen

    def waiting(self) -> list[Waiting]:
        """Every half in memory."""
        with self._lock:
            return [*self._waiting.values(), *self._displaced]

    def sweep(self, now: int) -> Swept:
        """Move halves that have waited long enough by `now` (microseconds) to the store, and look for their partners.

        StoreUnavailable leaves them all waiting. Call `settle` when the exchanges found are stored.
        """
        waiting = [one.half for one in self.waiting()]
        displaced = {id(one.half) for one in self._displaced}
        due = [h for h in waiting if h.received + self._patience <= now or id(h) in displaced]
        predicted, partners, due = self._without_predicted(due)
        if not due:
            return Swept(predicted=tuple(predicted), partners=tuple(partners))
        self._store.keep(due)
        kept = self._store.kept({half.key for half in due})
        alone = self._released(due)
        found = self._paired(alone, kept)
        paired = {id(one.half) for one in found}
        kept_alone = tuple(half for half in alone if id(half) not in paired)
        return Swept(kept_alone, tuple(found), tuple(predicted), tuple(partners))

    def settle(self) -> None:
        """What `sweep` found is stored: its halves wait no more."""
        if self._completed:
            self._store.complete(self._completed)
            self._completed = []

    def _without_predicted(self, due: list[Half]) -> tuple[list[Half], list[Half], list[Half]]:
        """Lets go of halves from the log whose prediction is stored; returns those, their partners, and the others."""
        keys = {half.key for half in due if half.received < self._started}
        predicted: Mapping[RequestKey, int] = self._store.predicted(keys) if keys else {}
        partners = self._partners([half for half in due if half.received <= predicted.get(half.key, -1)], predicted)
        done = self._released([half for half in due if half.received <= predicted.get(half.key, -1)])
        self._completed += done  # one of them may lie in the store as well
        self._completed += partners
        chosen = {id(half) for half in done}
        return done, partners, [half for half in due if id(half) not in chosen]

    def _partners(self, done: Sequence[Half], predicted: Mapping[RequestKey, int]) -> list[Half]:
        """Halves that lie in the store although their prediction is stored: a crash came in between."""
        kept = self._store.kept({half.key for half in done}) if done else []
        by_key = {(half.key, half.kind): half for half in kept if half.received <= predicted[half.key]}
        left = [by_key[half.key, _other(half)] for half in done if (half.key, _other(half)) in by_key]
        return [partner for half in left if (partner := self._readable(half))]

    def _released(self, due: Sequence[Half]) -> list[Half]:
        """Let go of halves that are in the store; returns those that no partner has reached meanwhile."""
        chosen = {id(half) for half in due}
        with self._lock:
            alone = [w.half for w in (*self._waiting.values(), *self._displaced) if id(w.half) in chosen]
            self._waiting = {key: w for key, w in self._waiting.items() if id(w.half) not in chosen}
            self._displaced = [w for w in self._displaced if id(w.half) not in chosen]
            self._bytes -= sum(map(half_bytes, alone))
        chosen -= {id(half) for half in alone}
        self._completed += [half for half in due if id(half) in chosen]
        return alone

    def _paired(self, alone: Sequence[Half], kept: Sequence[Half]) -> list[Found]:
        by_key = {(half.key, half.kind): half for half in kept}
        pairs = {h.key: (h, by_key[(h.key, _other(h))]) for h in alone if (h.key, _other(h)) in by_key}
        found = []
        for half, kept_partner in pairs.values():
            if partner := self._readable(kept_partner):
                found.append(Found(half, partner, _exchange(half, partner)))
                self._completed += [half, kept_partner]
        return found

    def _readable(self, kept: Half) -> Half | None:
        """A half of the store with its payload."""
        try:
            return self._decode(kept)
        except Rejected as error:
            log.warning("a kept %s of %s cannot be read any more: %s", kept.kind, kept.key.model, error)
            return None


def mark(half: Half) -> int:
    """64 bits that tell a half from others, over restarts."""
    digest = blake2b("\0".join((*half.key, half.kind)).encode("utf-8", "surrogatepass"), digest_size=8)
    digest.update(half.body)
    return int.from_bytes(digest.digest(), "little")


def half_bytes(half: Half) -> int:
    return HALF_BYTES + len(half.body) + sum(tensor.values.nbytes for tensor in half.payload.tensors)


def _other(half: Half) -> HalfKind:
    return "response" if half.kind == "request" else "request"


def _exchange(half: Half, other: Half) -> Exchange:
    return Exchange(half, other) if half.kind == "request" else Exchange(other, half)
