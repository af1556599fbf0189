"""Rows of days long past wait for others of their days: an insert is of one day, and senders choose their dates.

Without waiting, a sender who spreads a few rows over many dates makes a part a second for each of them.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from collectors.building.columns import concat
from collectors.storing.pieces import Piece, shared
from core.days import DAY_MICROS, days

LATE_SECONDS = 30.0  # the longest a row waits: until then the log in front of the store must keep it too
LATE_ROWS = 50_000
PART_MICROS = 1_000_000  # a part a second is what a table merges at leisure


class Late:
    """Takes the late rows out of each piece and gives all of them back at once, whatever their days.

    They are due at once as long as the table has had less than a part a second, else after `seconds`, or when there are
    `most_rows` of them. Times are microseconds since 1970.
    """

    def __init__(self, seconds: float = LATE_SECONDS, most_rows: int = LATE_ROWS) -> None:
        self._wait, self._most_rows = int(seconds * 1e6), most_rows
        self._pieces: list[Piece] = []
        self._since = 0  # when the first of them came
        self._at_leisure = 0  # when every part so far has had its second
        self.rows = 0

    @property
    def batches(self) -> Sequence[pa.RecordBatch]:
        return [piece.batch for piece in self._pieces]

    @property
    def full(self) -> bool:
        return self.rows >= self._most_rows

    def sift(self, piece: Piece, now: int) -> list[Piece]:
        """What of a piece is of today or yesterday, as none or one; the late rows are kept here."""
        late = days(piece.batch) < now // DAY_MICROS - 1
        if not late.any():
            return [piece]
        if late.all():
            self._keep(piece, now)
            return []
        old, recent = shared(piece, [piece.batch.filter(pa.array(mask)) for mask in (late, ~late)])
        self._keep(old, now)
        return [recent]

    def due(self, now: int) -> bool:
        """A clock that was set back makes them due as well."""
        if not self.rows:
            return False
        return self.full or now >= self._at_leisure or not 0 <= now - self._since < self._wait

    def take(self) -> Piece:
        """All of them; there must be some."""
        taken = Piece(concat(self.batches), sum(piece.bytes for piece in self._pieces))
        self._pieces, self.rows = [], 0
        return taken

    def stored(self, piece: Piece, now: int) -> None:
        """Some rows, late or not, became parts: one for each day."""
        parts = len(np.unique(days(piece.batch)))
        self._at_leisure = max(self._at_leisure, now) + parts * PART_MICROS

    def _keep(self, piece: Piece, now: int) -> None:
        self._since = self._since if self.rows else now
        self._pieces.append(piece)
        self.rows += len(piece.batch)
