"""Which threads go first when there are more of them than there is processor time."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# A third of what a thread of the usual niceness gets while both want the same core. It holds beside other programs too,
# so much more could keep the store from answering on a busy machine.
NICENESS = 5

_done = threading.local()


def give_way() -> None:
    """From now on this thread, and what it starts, leaves a core to the event loop whenever that wants it.

    Answers wait for the loop, and nobody waits for a batch: with both at the same rank, one insert of a second's rows
    holds the loop up for as long as the scheduler finds fair. The main thread has the loop and stays. Only Linux has a
    niceness for each thread; elsewhere this does nothing.
    """
    if sys.platform != "linux" or threading.current_thread() is threading.main_thread() or hasattr(_done, "gave_way"):
        return
    _done.gave_way = True
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS))


def giving_way(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns, done in a thread that gives way, as all those do that it starts and leaves behind."""
    with ThreadPoolExecutor(1, initializer=give_way) as thread:
        return thread.submit(work, *args, **kwargs).result()
