"""A reference cut into blocks like the monitor's windows, where its rows have an order in time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import NamedTuple

from core.config import SeasonReference
from core.findings import Window
from core.times import EPOCH
from storage.windows.cache import Reader
from storage.windows.relations import Relation

# Blocks looked at, evenly over the reference: enough for 1 alarm in 100 windows to be told by rank.
MOST_BLOCKS = 200

# A sliding reference is cut anew each time it has moved by this part of its length, in whole windows: the new blocks
# then begin and end as the old ones do.
_STEPS = 16

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Block:
    """Rows of a reference, and what reads their fields: to `choose` it takes several queries, which whole rows do not
    need."""

    relation: Relation
    choose: Callable[[], Reader]

    @cached_property
    def reader(self) -> Reader:
        return self.choose()


class Stretch(NamedTuple):
    """A reference, all versions as one, and the blocks that are part of it."""

    whole: Block
    blocks: Sequence[Block]


@dataclass(frozen=True)
class History:
    """`name` tells it from every other. `cut` reads where the blocks are; without any, `lacks` says why.

    `block`: what one is, such as '1h' or '1000 rows'.
    """

    name: str
    block: str
    cut: Callable[[], Sequence[Stretch]]
    lacks: str = ""


def no_history() -> History:
    """Of a data set."""
    return History("", "", tuple, "the reference has no order in time")


def anchored(reference: Window, every: timedelta) -> Window:
    """The reference as it was when it was last cut: the same for all windows up to the next time."""
    length = reference.end - reference.start
    step = -(-length // (_STEPS * every)) * every if every else length / _STEPS
    end = EPOCH + (reference.end - EPOCH) // step * step
    return Window(end - length, end)


def blocks(whole: Window, length: timedelta) -> list[Window]:
    """Of `length`, back from the end of `whole`; the newest first."""
    count = (whole.end - whole.start) // length
    return [Window(whole.end - (n + 1) * length, whole.end - n * length) for n in spread(count)]


def spread(count: int, most: int = MOST_BLOCKS) -> list[int]:
    """Whole numbers below `count`, at most `most` of them, evenly."""
    taken = min(count, most)
    return [n * count // taken for n in range(taken)]


def season(window: Window, reference: SeasonReference) -> list[Window]:
    """What a window is compared with: its own stretch of each period before it; the newest first."""
    stretch = _days(window) if reference.same == "day_of_week" else window
    periods = range(1, reference.over // reference.period + 1)
    return [Window(stretch.start - n * reference.period, stretch.end - n * reference.period) for n in periods]


def seasons(window: Window, reference: SeasonReference, every: timedelta) -> list[Window]:
    """Windows within the period before `window` whose seasons have blocks enough together: one season has few.

    They are the same for all windows until a sixteenth of the period has passed.
    """
    length = window.end - window.start
    end = anchored(Window(window.start - reference.period, window.start), every).end
    apart = timedelta(days=1) if reference.same == "day_of_week" else length
    most = max(MOST_BLOCKS // (reference.over // reference.period), 1)
    count = min(most, max(reference.period // apart, 1))
    ends = [end - n * (reference.period / count) for n in range(count)]
    return [Window(at - length, at) for at in ends]


def _days(window: Window) -> Window:
    """The whole days that the window touches."""
    start, end = (window.start - EPOCH) // _DAY, -((EPOCH - window.end) // _DAY)
    return Window(EPOCH + start * _DAY, EPOCH + end * _DAY)
