"""A bounded memory of what came lately, so that what is sent again is told from what is new."""

from collections.abc import Hashable, Sequence
from enum import Enum


class Seen(Enum):
    NEW = "new"
    DUPLICATE = "duplicate"  # the same key with the same content
    CONFLICT = "conflict"  # the same key with other content


class Recent:
    """The contents seen under each key, for at least the newest `capacity` keys and at most twice as many.

    Two generations: when the young one is full the old one is dropped, so nothing is ever evicted key by key.
    """

    def __init__(self, capacity: int = 250_000) -> None:
        self._capacity = capacity
        self._young: dict[Hashable, int] = {}
        self._old: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def see(self, key: Hashable, content: int) -> Seen:
        """Remember `key` with its content, and say what was known of it before."""
        known = self._get(key)
        if known is None:
            self._remember_one(key, content)
            return Seen.NEW
        if content == known or self._get((key, content)) is not None:
            return Seen.DUPLICATE
        self._remember_one((key, content), content)
        return Seen.CONFLICT

    def see_all(self, keys: Sequence[Hashable], contents: Sequence[int]) -> list[Seen]:
        """`see` for each in turn. When all are new, as nearly always, it costs a tenth of that."""
        if len(set(keys)) == len(keys) and self._young.keys().isdisjoint(keys) and self._old.keys().isdisjoint(keys):
            self._remember(keys, contents)
            return [Seen.NEW] * len(keys)
        return [self.see(key, content) for key, content in zip(keys, contents, strict=True)]

    def _get(self, key: Hashable) -> int | None:
        known = self._young.get(key)
        return self._old.get(key) if known is None else known

    def _remember_one(self, key: Hashable, content: int) -> None:
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, {}
        self._young[key] = content

    def _remember(self, keys: Sequence[Hashable], contents: Sequence[int]) -> None:
        at = 0
        while at < len(keys):
            if len(self._young) >= self._capacity:
                self._old, self._young = self._young, {}
            end = at + self._capacity - len(self._young)
            self._young.update(zip(keys[at:end], contents[at:end], strict=True))
            at = end
