"""Requests and responses that come separately, in any order, become exchanges by their request key.

A half waits in memory for `patience` seconds and then in the half store, where any collector over the same store finds
it. Each sweep first keeps its own halves there and then asks for their partners: of two collectors that hold the two
halves, the later one sees both, or each of them does. Then the one with the response goes first, and the other looks
again before it does the same. Halves leave the half store only when their prediction is stored and the log's note says
so: after a crash in between the same is done again.

Several requests or responses under one id are paired in the order they came.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

from collectors.building.exchanges import Exchange
from collectors.halves.in_store import InStore
from collectors.halves.matching import again, by_key, exchange_of, other, pairs
from collectors.storing.recent import Recent, Seen
from core.config import HALVES_IN_MEMORY
from core.errors import Rejected
from core.protocols import START, HalfStore, Position
from core.records import Half, HalfId, HalfKind, RequestKey

PATIENCE_SECONDS = HALVES_IN_MEMORY.total_seconds()
FOREVER = 2**63 - 1  # microseconds: by then every half has waited long enough
HELD_MICROS = 5_000_000  # longer than a collector takes from seeing a pair to having stored it
HALF_BYTES = 1_000  # what a half costs in memory beside its body and its tensors
REMEMBERED = 8192  # halves that are known over a restart: what a sender sends again because it heard nothing

log = logging.getLogger("tidemark.collector")


class Waiting(NamedTuple):
    """A half in memory, with its `mark` and the place in the log behind which its frame lies."""

    half: Half
    mark: int
    before: Position


class Found(NamedTuple):
    """A half of this collector, and the exchange that it made with one from the store.

    `again` are the same halves once more, in the store as well: they had been sent to several collectors.
    """

    half: Half
    partner: Half
    exchange: Exchange
    again: tuple[Half, ...] = ()


class Swept(NamedTuple):
    """What became of halves that had waited long enough: left in the store, or a pair."""

    kept: tuple[Half, ...] = ()
    found: tuple[Found, ...] = ()


class Pairing:
    """`decode` fills the payload of a half that comes back from the store; `patience` is in seconds.

    Halves received before `started` come from the log: the log may have forgotten their other half, because their
    prediction is stored.
    """

    def __init__(
        self, store: HalfStore, decode: Callable[[Half], Half], patience: float = PATIENCE_SECONDS, started: int = 0
    ) -> None:
        self.store, self.decode, self._started = store, decode, started
        self._patience = int(patience * 1e6)
        self._waiting: dict[tuple[RequestKey, HalfKind], Waiting] = {}
        # Those that the next sweep takes: their other half is in the store, or one of the same key and kind waits.
        self._hurried: list[Waiting] = []
        self._in_store = InStore()
        self._completed: list[Half] = []
        self._held: dict[HalfId, int] = {}  # in the store as well, while another collector may be completing them: till
        self._bytes = 0
        self._recent = Recent(100_000)
        self._marks: deque[int] = deque(maxlen=REMEMBERED)
        self._before_restart: Collection[int] = ()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._hurried)

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
            if half.received < self._started:
                self._in_store.discard(half.id)
            partner = self._waiting.get((half.key, other(half)))
            if self._in_store.claim(half, partner.half.received if partner else FOREVER):
                self._hurry(Waiting(half, known, before))
            elif partner:
                return self._completed_by(half, partner.half)
            elif key in self._waiting:
                self._hurry(Waiting(half, known, before))
            else:
                self._waiting[key] = Waiting(half, known, before)
                self._bytes += half_bytes(half)
            return seen

    def _hurry(self, one: Waiting) -> None:
        self._hurried.append(one)
        self._bytes += half_bytes(one.half)

    def _completed_by(self, half: Half, partner: Half) -> Exchange:
        del self._waiting[partner.key, partner.kind]
        self._bytes -= half_bytes(partner)
        # A crash may have come between keeping one of them in the store and noting that.
        self._completed += [one for one in (half, partner) if self._may_be_kept(one)]
        return exchange_of(half, partner)

    def waiting(self) -> list[Waiting]:
        """Every half in memory."""
        with self._lock:
            return self._all()

    def _all(self) -> list[Waiting]:
        return [*self._waiting.values(), *self._hurried]

    def _may_be_kept(self, half: Half) -> bool:
        return half.received < self._started or half.id in self._held

    def sweep(self, now: int) -> Swept:
        """Move halves that have waited long enough by `now` (microseconds) to the store, and look for their partners.

        StoreUnavailable leaves them all waiting. Call `settle` when the exchanges found are stored, and noted.
        """
        due = self._due(now)
        if not due:
            return Swept()
        self.store.keep([half for half in due if half.id not in self._held])
        kept = by_key(self.store.kept({half.key for half in due}))
        alone = self._released([half for half in due if not self._holds(half, kept[half.key], now)])
        found = self._paired(alone, kept)
        paired = {id(one.half) for one in found}
        self._forget_found(found)
        return Swept(tuple(half for half in alone if id(half) not in paired), tuple(found))

    def _due(self, now: int) -> list[Half]:
        hurried = {id(one.half) for one in self._hurried}
        waiting = [one.half for one in self.waiting()]
        waited = [h for h in waiting if h.received + self._patience <= now or id(h) in hurried]
        return [half for half in waited if self._held.get(half.id, 0) <= now]

    def _holds(self, half: Half, kept: Sequence[Half], now: int) -> bool:
        """Whether to leave a pair to another collector for now, which may see it at the same moment."""
        turns = [one.id for one in sorted(kept, key=lambda one: (one.kind != "response", one.received))]
        kinds = [one.kind for one in kept]
        if now >= FOREVER or half.id in self._held or half.id not in turns or len({*kinds}) < 2:
            return False
        # The only response goes first. Of several no collector knows which was alone when another one looked.
        turn = turns.index(half.id) + (kinds.count("response") > 1)
        if turn:
            self._held[half.id] = now + turn * HELD_MICROS
        return turn > 0

    @property
    def completing(self) -> list[HalfId]:
        """What the next `settle` completes; for `complete_noted` after a restart."""
        return [half.id for half in self._completed]

    def complete_noted(self, noted: Collection[HalfId]) -> None:
        """Halves whose prediction is stored, of which a crash may have left some in the half store."""
        kept = self.store.kept({id.key for id in noted})
        self._completed += [half for half in kept if half.id in noted]

    def look_out(self, left: Iterable[HalfId]) -> None:
        """Halves that an earlier process has left in the store, and that may still find their other half."""
        ended = set(self.completing)
        with self._lock:
            self._in_store.add(half for half in left if half not in ended)

    def end(self, halves: Iterable[Half]) -> None:
        """These in the store wait no more, as of the next `settle`."""
        self._completed += halves

    def settle(self) -> None:
        """What `sweep` found is stored: its halves wait no more."""
        if done := [*self._completed]:
            self.store.complete(done)
            del self._completed[: len(done)]

    def _released(self, due: Sequence[Half]) -> list[Half]:
        """Let go of halves that are in the store; returns those that no partner has reached meanwhile."""
        chosen = {id(half) for half in due}
        with self._lock:
            alone = [w.half for w in self._all() if id(w.half) in chosen]
            self._waiting = {key: w for key, w in self._waiting.items() if id(w.half) not in chosen}
            self._hurried = [w for w in self._hurried if id(w.half) not in chosen]
            self._in_store.add(half.id for half in alone)
            self._bytes -= sum(map(half_bytes, alone))
            self._held = {w.half.id: till for w in self._all() if (till := self._held.get(w.half.id))}
        chosen -= {id(half) for half in alone}
        self._completed += [half for half in due if id(half) in chosen]
        return alone

    def _paired(self, alone: Sequence[Half], kept: Mapping[RequestKey, Sequence[Half]]) -> list[Found]:
        found = []
        for key, halves in by_key(alone).items():
            for half, kept_partner in pairs(halves, kept[key]):
                try:
                    partner = self.decode(kept_partner)
                except Rejected as error:
                    log.warning("a kept %s of %s cannot be read any more: %s", kept_partner.kind, key.model, error)
                else:
                    copies = tuple(again((half, partner), kept[key]))
                    found.append(Found(half, partner, exchange_of(half, partner), copies))
                    self._completed += [half, kept_partner, *copies]
        return found

    def _forget_found(self, found: Sequence[Found]) -> None:
        with self._lock:
            for one in found:
                for half in (one.half, one.partner, *one.again):
                    self._in_store.discard(half.id)


def mark(half: Half) -> int:
    """64 bits that tell a half from others, over restarts."""
    said = f"{half.key.namespace}\0{half.key.model}\0{half.key.request_id}\0{half.kind}\0"
    return int.from_bytes(blake2b(said.encode("utf-8", "surrogatepass") + half.body, digest_size=8).digest(), "little")


def half_bytes(half: Half) -> int:
    return HALF_BYTES + len(half.body) + sum(tensor.values.nbytes for tensor in half.payload.tensors)
