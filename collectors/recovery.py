"""What the log still holds when a process starts goes through the collector once more, as if it had just come."""

import logging
import time
from collections.abc import Callable, Iterable

from collectors.collector import Collector
from collectors.exchanges import Exchange
from collectors.journal import Rows, read_frame
from core.errors import Overloaded, StoreUnavailable
from core.records import DeadLetter, Half

RETRY_SECONDS = 1.0

log = logging.getLogger("tidemark.collector")


class Recovery:
    """`decode` fills the payload of a half. Nothing else stores or hands over while it runs."""

    def __init__(
        self,
        collector: Collector,
        decode: Callable[[Half], Half],
        clock: Callable[[], int],
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._collector, self._decode, self._clock, self._retry_seconds = collector, decode, clock, retry_seconds

    def run(self, frames: Iterable[bytes]) -> None:
        """Halves and rows keep their ids and the time they were received, so what is stored already stays one row.

        A frame that cannot be read becomes a dead letter. Waits for the store when memory is full.
        """
        taken = unread = 0
        for frame in frames:
            self._make_room()
            try:
                taken += self._take(frame)
            except Exception as error:
                unread += 1
                self._unreadable(frame, error)
        if taken or unread:
            log.info(
                "took up from the log what was not known to be stored: %d rows and halves; %d frames cannot be read",
                taken,
                unread,
            )

    def _take(self, frame: bytes) -> int:
        found = read_frame(frame, self._decode)
        if isinstance(found, Rows):
            self._collector.rows(found.batch, found.fields)
            return len(found.batch)
        if isinstance(found, Exchange):
            self._collector.exchange(found)
        else:
            for half in found:
                self._collector.half(half)
        return len(found)

    def _make_room(self) -> None:
        while True:
            try:
                return self._collector.check_room()
            except Overloaded:
                self._flush()

    def _flush(self) -> None:
        try:
            self._collector.flush()
        except StoreUnavailable as error:
            log.warning("the log holds more than memory takes, and the store cannot be reached: %s", error)
            time.sleep(self._retry_seconds)

    def _unreadable(self, frame: bytes, error: Exception) -> None:
        detail = f"{type(error).__name__}: {error}"
        self._collector.dead_letter(DeadLetter(self._clock(), "log", "unreadable_frame", detail, "", frame))
