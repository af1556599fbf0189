"""The engine's threads give way to ours: an insert or a merge may wait a moment, a sender should not."""

import os
import threading
from contextlib import suppress

NICE = 10  # of at most 19: the kernel gives such a thread a tenth of what it gives one of ours


def let_engine_wait() -> None:
    """Of the threads that Python does not know. The engine makes more as it needs them: call it again now and then."""
    ours = {thread.native_id for thread in threading.enumerate()}
    for name in os.listdir("/proc/self/task"):
        thread = int(name)
        with suppress(OSError):  # it has ended meanwhile
            if thread not in ours and os.getpriority(os.PRIO_PROCESS, thread) == 0:
                os.setpriority(os.PRIO_PROCESS, thread, NICE)
