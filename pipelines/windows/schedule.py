"""Which windows are due. Pure: the last window that ran, the clock and the rows' positions come in as arguments."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from core.config import TimeWindows
from core.findings import RowSpan, Window
from core.times import EPOCH

MICROSECOND = timedelta(microseconds=1)

# Rows stamped with `received` reach the store in groups, some after rows stamped later; a row-count window waits this
# long before it takes an order for final.
ROW_SETTLE = timedelta(seconds=2)


def due_times(windows: TimeWindows, after: datetime, now: datetime) -> Iterator[Window]:
    """Windows that ended since `after` and have settled by `now`, oldest first.

    Ends are multiples of `every` since 1970, so they are the same whenever planning starts; `after` is the end of the
    last window that ran, or the moment the monitor was first seen. Every end in (after, now - settle] comes once.
    """
    end = EPOCH + ((after - EPOCH) // windows.every + 1) * windows.every
    while end + windows.settle <= now:
        yield Window(end - windows.length, end)
        end += windows.every


def due_rows(spans: Sequence[RowSpan], after: datetime) -> list[Window]:
    """The complete row-count windows `spans`, in order, each with a time of its own.

    A window's end is the `received` of its last row. Rows of one insert share theirs, so an end that is not later than
    the one before (`after` for the first) is stamped a microsecond after it: results are kept by window times.
    """
    due = []
    for span in spans:
        after = max(span.last[0], after + MICROSECOND)
        due.append(Window(span.first[0], after, span))
    return due
