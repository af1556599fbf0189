from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.storing.recent import Recent, Seen

SENT = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=30)


@given(SENT)
@settings(deadline=None)
def test_a_key_is_new_once_and_each_content_of_it_once(sent: list[tuple[int, int]]) -> None:
    recent, before = Recent(), set[tuple[int, int]]()
    for key, content in sent:
        new = key not in {k for k, _ in before}
        expected = Seen.NEW if new else Seen.DUPLICATE if (key, content) in before else Seen.CONFLICT
        assert recent.see(key, content) is expected
        before.add((key, content))


@given(st.lists(SENT, max_size=5))
@settings(deadline=None)
def test_many_at_once_are_judged_as_one_by_one(batches: list[list[tuple[int, int]]]) -> None:
    at_once, one_by_one = Recent(), Recent()
    for batch in batches:
        keys, contents = [k for k, _ in batch], [c for _, c in batch]
        assert at_once.see_all(keys, contents) == [one_by_one.see(k, c) for k, c in batch]


def test_memory_is_bounded_and_the_newest_are_remembered() -> None:
    recent = Recent(capacity=10)
    recent.see_all(range(25), range(25))
    for key in range(25, 95):
        recent.see(key, key)
    assert len(recent) <= 20
    assert all(recent.see(key, key) is Seen.DUPLICATE for key in range(85, 95))
    assert recent.see(0, 0) is Seen.NEW
