"""What the log keeps at its trim: how far the collector had come, so that a restart goes on from there exactly."""

import logging
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import orjson

from collectors.accounting.ledger import Counts, Line, Tally, counts_of
from collectors.accounting.spans import NOTHING, Listed
from core.records import HalfId, RequestKey

_VERSION = 2

log = logging.getLogger("tidemark.collector")


class Left(NamedTuple):
    """In the half store: before which times (microseconds) the `Orphans` have looked at halves, twice and once.

    The predictions of those `completing` are stored; the half store may not know yet.
    """

    looked: tuple[int, int] = (0, 0)
    completing: Collection[HalfId] = ()


class Note(NamedTuple):
    """Frames of `taken` have found their end, but for the halves marked in `waiting`; of `counted` the ledger knows.

    `backlog` is the part of its `counts` that is accepted and not taken. `recent` marks the halves that came last.
    """

    taken: Listed = NOTHING
    counted: Listed = NOTHING
    backlog: Tally = Tally()
    waiting: Collection[int] = ()
    recent: Sequence[int] = ()
    counts: Counts = Counts()
    left: Left = Left()


def written(note: Note) -> bytes:
    # Zeros too: a line that has come to nothing must still replace what the store was told of it.
    counts = [[*line, word, n] for (line, word), n in sorted(note.counts.items())]
    backlog = [[*line, n] for line, n in sorted(note.backlog.items()) if n]
    spans = [[[*after, *upto] for after, upto in found] for found in (note.taken, note.counted)]
    left = [*note.left.looked, [[*half.key, half.kind, half.received] for half in note.left.completing]]
    return orjson.dumps([_VERSION, *spans, backlog, sorted(note.waiting), list(note.recent), counts, left])


def read(content: bytes) -> Note:
    """The empty note for none, and for one that is no note: then frames are counted and stored again, none is lost."""
    if not content:
        return Note()
    try:
        version, taken, counted, backlog, waiting, recent, counts, left = orjson.loads(content)
        if version != _VERSION:
            raise ValueError(f"version {version}")
    except ValueError as error:
        log.error("the note of the log cannot be read, and the ledger begins anew: %s", error)
        return Note()
    rest = Tally({Line(*line): n for *line, n in backlog})
    return Note(_spans(taken), _spans(counted), rest, frozenset(waiting), recent, counts_of(counts), _left(*left))


def _left(twice: int, once: int, completing: list[list[Any]]) -> Left:
    return Left((twice, once), {HalfId(RequestKey(*key), kind, received) for *key, kind, received in completing})


def _spans(said: list[list[int]]) -> Listed:
    return tuple(((a, b), (c, d)) for a, b, c, d in said)
