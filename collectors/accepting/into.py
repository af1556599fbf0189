"""Where a tap brings what it accepts and what it refuses."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from collectors.accepting.items import Item
from collectors.accounting.receipts import Receipt
from collectors.collector import Accepted
from core.records import DeadLetter

Frames = Sequence[tuple[Item, bytes]]  # what was accepted, each with its frame of the log


class Into(Protocol):
    async def accept(
        self, frames: Frames, receipt: Receipt | None = None, known: Callable[[], Awaitable[None]] | None = None
    ) -> Accepted:
        """Overloaded when the log is full, Rejected when it never takes one of the frames.

        The collector is given them after `known`, when there is something more to be known.
        """

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Letters of what was refused."""
