"""Rows on their way into the store, and how they are divided when they cannot go as one."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from core.days import by_day


class Piece(NamedTuple):
    """Rows of the schema PREDICTIONS, and the bytes they count for against the spool's limit."""

    batch: pa.RecordBatch
    bytes: int


def halved(piece: Piece) -> list[Piece]:
    """Two or more smaller pieces: the store takes each day on its own, so days come apart before halves do."""
    batch = piece.batch
    found = list(by_day(batch))
    if len(found) > 1:
        return shared(piece, found)
    middle = len(batch) // 2
    return shared(piece, [batch.slice(0, middle), batch.slice(middle)])


def shared(piece: Piece, batches: Sequence[pa.RecordBatch]) -> list[Piece]:
    """The batches that make up a piece, with its bytes shared out by rows, to the last one."""
    pieces, rows, given = [], 0, 0
    for batch in batches:
        rows += len(batch)
        until = piece.bytes * rows // len(piece.batch)
        pieces.append(Piece(batch, until - given))
        given = until
    return pieces
