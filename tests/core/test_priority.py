import os
import sys
import threading

import pytest

from core.priority import NICENESS, give_way, giving_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")


def own() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_a_thread_that_gives_way_is_nicer_and_so_are_those_it_starts_while_the_main_thread_stays() -> None:
    before, found = own(), []

    def work() -> None:
        give_way()
        found.append(own())
        started = threading.Thread(target=lambda: found.append(own()))
        started.start()
        started.join()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    give_way()  # the main thread has the loop
    assert found == [max(before, NICENESS)] * 2 and own() == before


def test_work_done_giving_way_returns_and_raises_as_ever() -> None:
    assert giving_way(lambda a, b=0: (a + b, own()), 1, b=2) == (3, max(own(), NICENESS))
    with pytest.raises(ZeroDivisionError):
        giving_way(lambda: 1 // 0)
