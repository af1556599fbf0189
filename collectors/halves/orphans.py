"""Halves left in the half store: each is looked up once more when it is due, and is then an orphan if it still waits.

That is done by the collector that kept it, so that every orphan is counted once. One whose prediction is stored is no
orphan: it was sent to two collectors, and paired at the other. That may come late as well, so there is a second look.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from collectors.accounting.ledger import half_rows
from collectors.building.exchanges import Exchange, Naming, to_rows
from collectors.halves.pairing import HELD_MICROS, Pairing
from core.errors import Rejected
from core.metrics import Metrics
from core.records import Half, HalfId, HalfKind, ModelKey, RequestKey

MOST = 100_000  # watched at once, some 50 MB; the oldest of more are looked up before they are due
AT_ONCE = 200  # their bodies come out of the store together
COMPARED_ROWS = 1_000  # of a larger one it is not told whether it was sent again: it stays an orphan that is seen
_SIDES: Mapping[HalfKind, tuple[str, ...]] = {
    "request": ("inputs_num", "inputs_cat", "inputs_vec"),
    "response": ("outputs_num", "outputs_cat", "outputs_vec"),
}


class Judged(NamedTuple):
    """Orphans, and halves whose prediction is stored; with their payloads."""

    orphans: tuple[Half, ...]
    again: tuple[Half, ...]


class Orphans:
    """For the thread that flushes. `after` is in microseconds, from when a half was received."""

    def __init__(self, pairing: Pairing, naming: Callable[[ModelKey], Naming], after: int) -> None:
        self._store, self._decode, self._naming, self._after = pairing.store, pairing.decode, naming, after
        # Before the first look and before the second, both about in the order of their times.
        self._watched: dict[HalfId, None] = {}
        self._counted: dict[HalfId, None] = {}
        # Their predictions are stored, it may be with them: until these times whoever did that may say so.
        self._answered: dict[HalfId, int] = {}

    def __len__(self) -> int:
        """Those that are not judged yet."""
        return len(self._watched)

    def watch(self, halves: Iterable[HalfId]) -> None:
        self._watched.update(dict.fromkeys(halves))

    def forget(self, halves: Iterable[HalfId]) -> None:
        """Their other half has come."""
        for half in halves:
            self._watched.pop(half, None)
            self._counted.pop(half, None)
            self._answered.pop(half, None)

    def looked(self, now: int) -> tuple[int, int]:
        """For `resume`: of the halves in the store, before which times they have been looked at twice, and once."""
        once = min((half.received for half in self._watched), default=now)
        return min((half.received for half in (*self._counted, *self._answered)), default=once), once

    def resume(self, twice: int, once: int) -> Sequence[HalfId]:
        """Watch what an earlier process left, which it returns. StoreUnavailable when the store is away."""
        left = self._store.left(min(twice, once)) if once else ()
        for half in left:
            (self._watched if half.received >= once else self._counted)[half] = None
        return left

    def judge(self, now: int) -> Judged | None:
        """Some of those that are due, None when there are no more. StoreUnavailable leaves them for the next time."""
        if due := _due(self._watched, now - self._after):
            judged = self._look_up(due)
            self._counted.update(dict.fromkeys(half.id for half in judged.orphans))
        elif due := _due(self._counted, now - 2 * self._after):
            judged = self._look_up(due)._replace(orphans=())
        elif due := {half for half, until in islice(self._answered.items(), AT_ONCE) if until <= now}:
            return self._look_up(due)._replace(orphans=())
        else:
            return None
        self._answered.update(dict.fromkeys((half.id for half in judged.again), now + HELD_MICROS))
        return judged._replace(again=())

    def _look_up(self, due: Collection[HalfId]) -> Judged:
        kept = [half for half in self._store.kept({id.key for id in due}) if half.id in due]
        judged = self._judged([self._read(half) for half in kept])
        self.forget(due)
        return judged

    def _read(self, half: Half) -> Half:
        try:
            return self._decode(half)
        except Rejected:  # as it is it counts as one row
            return half

    def _judged(self, halves: list[Half]) -> Judged:
        said = {half.id: self._said(half) for half in halves}
        stored = self._stored({row for rows in said.values() for row in rows})
        again = {
            half.id
            for half in halves
            if (rows := said[half.id]) and all(_says(half, row) in stored[key, half.kind] for key, row in rows.items())
        }
        return Judged(
            tuple(half for half in halves if half.id not in again), tuple(half for half in halves if half.id in again)
        )

    def _said(self, half: Half) -> dict[RequestKey, Mapping[str, Any]]:
        """The rows of its prediction by their ids, as far as it knows them; none when it has too many."""
        if half_rows(half) > COMPARED_ROWS:
            return {}
        alone = Exchange(half, None) if half.kind == "request" else Exchange(None, half)
        rows = [row for group in to_rows([alone], self._naming) for row in group.batch.to_pylist()]
        return {half.key._replace(request_id=row["id"]): row for row in rows}

    def _stored(self, ids: set[RequestKey]) -> Mapping[tuple[RequestKey, HalfKind], set[str]]:
        found: dict[tuple[RequestKey, HalfKind], set[str]] = defaultdict(set)
        for row in self._store.predicted(ids):
            key = RequestKey(row["namespace"], row["model"], row["id"])
            for kind in _SIDES:
                found[key, kind].add(_text(kind, row))
        return found


def count_orphans(halves: Iterable[Half], metrics: Metrics) -> None:
    """An inference without its answer has the status 0, one of which only the answer came as well."""
    for half in halves:
        metrics.orphans.labels(half.key.namespace, half.key.model).inc()
        version = half.payload.version if half.kind == "response" else ""
        metrics.inferences.labels(half.key.namespace, half.key.model, version, 0).inc(half_rows(half))


def _due(watched: Collection[HalfId], received: int) -> set[HalfId]:
    """The oldest, those received until then and those that are too many."""
    early, due = len(watched) - MOST, set[HalfId]()
    for half in watched:
        if (half.received > received and len(due) >= early) or len(due) == AT_ONCE:
            break
        due.add(half)
    return due


def _says(half: Half, row: Mapping[str, Any]) -> str:
    return _text(half.kind, {**row, "status": half.status, "error": half.error})


def _text(kind: HalfKind, row: Mapping[str, Any]) -> str:
    """What a half says of one row, in whatever order; the answer's status is the response's."""
    fields = [sorted(dict(row[name]).items()) for name in _SIDES[kind]]
    return repr([*fields, *((row["status"], row["error"]) if kind == "response" else ())])
