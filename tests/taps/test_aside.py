"""Large bodies are decoded beside the event loop, and never more of them at a time than the limit of one body."""

import asyncio
import base64
import gzip
import threading
import time

import pytest

from collectors.taps.aside import THREAD_BYTES, Aside
from core.config import Limits

MOST = 4 * THREAD_BYTES
LIMITS = Limits(body_bytes=MOST)
EVENTS = {"content-type": "application/cloudevents+json"}


def test_what_is_under_way_at_a_time_stays_within_the_limit_and_all_of_it_is_done() -> None:
    lock, under_way, seen = threading.Lock(), [0], [0]

    def work(weight: int) -> int:
        with lock:
            under_way[0] += weight
            seen.append(under_way[0])
        time.sleep(0.002)
        with lock:
            under_way[0] -= weight
        return weight

    async def all_of_them() -> list[int]:
        aside = Aside(LIMITS)
        return await asyncio.gather(*(aside.run(weight, work, weight) for weight in weights))

    weights = [MOST, THREAD_BYTES + 1, 2 * THREAD_BYTES, MOST] * 5
    assert asyncio.run(all_of_them()) == weights
    assert 2 * THREAD_BYTES < max(seen) <= MOST


def test_a_small_body_is_decoded_here_and_a_large_one_is_not() -> None:
    async def threads() -> list[str]:
        aside = Aside(LIMITS)
        return [(await aside.run(weight, threading.current_thread)).name for weight in (1, MOST)]

    here, aside = asyncio.run(threads())
    assert here == threading.current_thread().name != aside


def test_room_is_given_back_when_the_work_fails() -> None:
    async def twice() -> None:
        aside = Aside(LIMITS)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(aside.run(MOST, lambda: 1 / 0), 5)

    asyncio.run(twice())


@pytest.mark.parametrize(
    ("headers", "body", "weight"),
    [
        ({}, b"{}", 2),
        ({}, gzip.compress(b"{}", mtime=0), MOST),
        ({"content-encoding": "br"}, b"..", MOST),
        (EVENTS, b"{}", 2),
        (EVENTS, base64.b64encode(gzip.compress(b"{}", mtime=0)), MOST),
    ],
)
def test_a_packed_body_counts_for_what_it_may_unpack_to(headers: dict[str, str], body: bytes, weight: int) -> None:
    assert Aside(LIMITS).weight(headers, body) == weight
