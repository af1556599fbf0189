"""What the log keeps at its trim: how far the collector had come, so that a restart goes on from there exactly."""

import logging
from collections.abc import Collection, Sequence
from typing import NamedTuple

import orjson

from collectors.ledger import Counts, Line, Tally, counts_of
from core.protocols import START, Position

_VERSION = 1

log = logging.getLogger("tidemark.collector")


class Note(NamedTuple):
    """Everything up to `taken`, and each frame of `also`, has found its end, but for the halves marked in `waiting`.

    Up to `counted` the ledger's `counts` hold what was accepted; `backlog` is the part of it behind `taken`. `recent`
    marks the halves that came last.
    """

    taken: Position = START
    also: Collection[Position] = ()
    counted: Position = START
    backlog: Tally = Tally()
    waiting: Collection[int] = ()
    recent: Sequence[int] = ()
    counts: Counts = Counts()


def written(note: Note) -> bytes:
    counts = [[*line, word, n] for (line, word), n in sorted(note.counts.items()) if n]
    backlog = [[*line, n] for line, n in sorted(note.backlog.items()) if n]
    also = [list(position) for position in sorted(note.also)]
    said = [[*note.taken], also, [*note.counted], backlog, sorted(note.waiting), note.recent, counts]
    return orjson.dumps([_VERSION, *said])


def read(content: bytes) -> Note:
    """The empty note for none, and for one that is no note: then frames are counted and stored again, none is lost."""
    try:
        version, taken, also, counted, backlog, waiting, recent, counts = orjson.loads(content or b"[0,0,0,0,0,0,0,0]")
    except ValueError:
        version = -1
    if version != _VERSION:
        if content:
            log.error("the note of the log cannot be read: the ledger begins anew")
        return Note()
    places = {(segment, offset) for segment, offset in also}
    rest = Tally({Line(*line): n for *line, n in backlog})
    return Note(tuple(taken), places, tuple(counted), rest, frozenset(waiting), recent, counts_of(counts))
