"""Fair shedding: laws over any history, and a noisy namespace beside quiet ones."""

import doctest
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.accepting import fairness
from collectors.accepting.fairness import HALF_LIFE_SECONDS, MOST_NAMESPACES, FairShare
from core.errors import Overloaded

LIMIT = 10_000
NAMES = ["a", "b", "c", "d"]
Step = tuple[str, int, float, float]  # namespace, bytes of the event, seconds since the last, share of the room taken

steps = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.integers(0, 5_000),
        st.one_of(st.just(0.0), st.floats(0, 3 * HALF_LIFE_SECONDS), st.just(1e6)),
        st.floats(0, 1.2),
    ),
    max_size=60,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def accepted(shares: FairShare, namespace: str, size: int, waiting: float) -> bool:
    try:
        shares.check(namespace, size, int(waiting), LIMIT)
    except Overloaded:
        return False
    return True


@given(steps)
def test_below_half_nobody_is_shed_and_at_the_limit_everybody_is(history: list[Step]) -> None:
    clock = Clock()
    shares = FairShare(clock)
    for namespace, size, seconds, taken in history:
        clock.now += seconds
        took = accepted(shares, namespace, size, taken * LIMIT)
        if taken < 0.5:
            assert took
        if taken >= 1:
            assert not took


@given(steps)
@example([("a", 0, 0.0, 0.0), ("b", 1, 0.0, 0.0), ("b", 0, 0.0, 0.5)])
def test_none_within_its_fair_share_is_shed_before_the_limit(history: list[Step]) -> None:
    clock = Clock()
    shares = FairShare(clock)
    for namespace, size, seconds, taken in history:
        clock.now += seconds
        recent = {name: shares.recent_bytes(name) for name in NAMES}
        having = sum(value > 0 or name == namespace for name, value in recent.items())
        within = recent[namespace] <= sum(recent.values()) / having
        if within and taken < 0.99:
            assert accepted(shares, namespace, size, taken * LIMIT)


@given(steps)
def test_one_namespace_alone_is_never_shed_before_the_limit(history: list[Step]) -> None:
    clock = Clock()
    shares = FairShare(clock)
    for _, size, seconds, taken in history:
        clock.now += seconds
        assert accepted(shares, "only", size, taken * LIMIT) == (int(taken * LIMIT) < LIMIT)


@given(steps, st.integers(0, 300))
def test_the_total_passes_the_limit_by_one_event_at_most(history: list[Step], drained: int) -> None:
    clock = Clock()
    shares = FairShare(clock)
    waiting = largest = 0
    for namespace, size, seconds, _ in history:
        clock.now += seconds
        largest = max(largest, size)
        waiting = max(0, waiting - drained)
        waiting += size if accepted(shares, namespace, size, waiting) else 0
        assert waiting < LIMIT + largest


def test_what_was_accepted_counts_half_after_a_half_life() -> None:
    clock = Clock()
    shares = FairShare(clock)
    shares.check("a", 800, 0, LIMIT)
    for left in (400, 200, 100):
        clock.now += HALF_LIFE_SECONDS
        assert shares.recent_bytes("a") == pytest.approx(left)


def test_years_of_running_change_nothing() -> None:
    clock = Clock()
    shares = FairShare(clock)
    for _ in range(3000):  # half-lives; a weight that only doubled would long have passed the largest float
        clock.now += HALF_LIFE_SECONDS
        shares.check("noisy", 900, 0, LIMIT)
        shares.check("quiet", 100, 0, LIMIT)
    assert shares.recent_bytes("noisy") == pytest.approx(1800)
    assert not accepted(shares, "noisy", 1, 0.6 * LIMIT) and accepted(shares, "quiet", 1, 0.6 * LIMIT)


def test_what_is_shed_does_not_count_against_its_sender() -> None:
    shares = FairShare(Clock())
    shares.check("a", 200, 0, LIMIT)
    shares.check("b", 100, 0, LIMIT)
    for _ in range(1000):
        assert not accepted(shares, "a", 200, 0.7 * LIMIT)
    shares.check("b", 100, int(0.7 * LIMIT), LIMIT)
    assert accepted(shares, "a", 200, 0.7 * LIMIT)


def test_names_that_senders_make_up_take_no_memory_without_end() -> None:
    shares = FairShare(Clock())
    for n in range(2 * MOST_NAMESPACES):
        shares.check(f"n{n}", 10, 0, LIMIT)
    assert shares.recent_bytes(f"n{MOST_NAMESPACES - 1}") == pytest.approx(10)
    assert shares.recent_bytes(f"n{MOST_NAMESPACES}") == 0


@pytest.mark.parametrize("drained_per_second", [0, 2_000])
def test_a_noisy_namespace_does_not_shut_out_quiet_ones(drained_per_second: int) -> None:
    """noisy offers 100 times what each of two quiet ones does, and 5 times what can be stored, for ten minutes."""
    clock, limit = Clock(), 4_000_000
    shares = FairShare(clock)
    waiting, offered, taken = 0, Counter[str](), Counter[str]()
    for _ in range(600):
        clock.now += 1
        waiting = max(0, waiting - drained_per_second)
        for namespace, size in [("noisy", 1000)] * 10 + [("quiet-1", 100), ("quiet-2", 100)]:
            offered[namespace] += size
            try:
                shares.check(namespace, size, waiting, limit)
            except Overloaded:
                continue
            taken[namespace] += size
            waiting += size
    assert taken["quiet-1"] == offered["quiet-1"] and taken["quiet-2"] == offered["quiet-2"]
    assert taken["noisy"] < offered["noisy"]
    room = 0.5 * limit + 600 * drained_per_second  # nothing is held back from it below half
    assert taken["noisy"] >= 0.9 * (room - 2 * offered["quiet-1"])


def test_equal_senders_share_all_the_room_there_is() -> None:
    shares, waiting, taken = FairShare(Clock()), 0, Counter[str]()
    for _ in range(2000):
        for namespace in NAMES:
            if accepted(shares, namespace, 10, waiting):
                taken[namespace] += 10
                waiting += 10
    assert waiting == LIMIT and set(taken.values()) == {LIMIT // len(NAMES)}


def test_the_example_of_the_specification_runs() -> None:
    assert doctest.testmod(fairness).failed == 0
