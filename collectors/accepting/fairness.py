"""Who is shed first when what is accepted is not stored fast enough."""

import math
from collections.abc import Callable
from threading import Lock

from core.errors import Overloaded

HALF_LIFE_SECONDS = 30.0  # of what counts as recent: longer than a burst, shorter than an outage
MOST_NAMESPACES = (
    10_000  # senders choose the names: beyond it the new ones share one place, so that memory stays bounded
)
FAIR_FROM = 0.5  # of the limit: what lies above is kept for those who take less than their share
_LEAST_BYTES = 1.0  # a namespace is forgotten when its recent bytes have decayed below it
_LARGEST_WEIGHT = 2.0**200  # far from the largest float, 2^1023
_OTHERS = "\0others"
_ROUNDING = 1 + 1e-9


class FairShare:
    """Equal shares of the recent bytes, so that a noisy namespace does not shut out the quiet ones.

    The recent bytes of a namespace are those accepted from it, each counted half after HALF_LIFE_SECONDS, a quarter
    after twice that, and so on. Its fair share is the recent bytes of all divided by the number of namespaces that
    have any. Then, with `waiting` of `limit` bytes accepted and not stored:

    - below FAIR_FROM of the limit nobody is shed;
    - between it and the limit those are shed who have taken more than their fair share;
    - at the limit everybody is.

    So one namespace alone may fill everything, among several none that keeps to its share is shed before the limit,
    and one that is shed is let in again as the others take more, its own decays, or the store catches up. What is shed
    does not count. The total never passes the limit by more than the one event that reached it.

    Names are as trustworthy as their senders: without tokens bound to namespaces one sender may pose as many.

    >>> from itertools import repeat
    >>> shares = FairShare(lambda: 0.0)
    >>> for _ in range(9): shares.check("noisy", 100, 0, 1000)
    >>> shares.check("quiet", 100, 900, 1000)
    >>> shares.check("noisy", 100, 900, 1000)
    Traceback (most recent call last):
    core.errors.Overloaded: 'noisy' has taken more than its share, and over half of the room for events is taken
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds and never goes back, as time.monotonic does."""
        self._clock = clock
        self._started = self._swept = clock()
        # Times a weight that doubles with every half-life: what was counted need never be touched again to decay.
        self._weighted: dict[str, float] = {}
        self._total = 0.0
        self._lock = Lock()

    def check(self, namespace: str, size_bytes: int, waiting_bytes: int, limit_bytes: int) -> None:
        """Count an event of `size_bytes` as accepted, or raise Overloaded."""
        if waiting_bytes >= limit_bytes:
            raise Overloaded("the room for events is full: the store does not keep up")
        with self._lock:
            weight = self._weight()
            name = self._place(namespace)
            if waiting_bytes >= FAIR_FROM * limit_bytes and self._above_share(name):
                raise Overloaded(
                    f"'{namespace}' has taken more than its share, and over half of the room for events is taken"
                )
            if size_bytes:  # one that has sent nothing has no share
                self._weighted[name] = self._weighted.get(name, 0.0) + size_bytes * weight
                self._total += size_bytes * weight

    def recent_bytes(self, namespace: str) -> float:
        """Accepted from it and still counted."""
        with self._lock:
            return self._weighted.get(namespace, 0.0) / self._weight()

    def _above_share(self, name: str) -> bool:
        others = len(self._weighted) - (name in self._weighted)
        return self._weighted.get(name, 0.0) * (others + 1) > self._total * _ROUNDING

    def _place(self, namespace: str) -> str:
        known = namespace in self._weighted or len(self._weighted) < MOST_NAMESPACES
        return namespace if known else _OTHERS

    def _weight(self) -> float:
        """What a byte counts now; once a half-life what has decayed away is forgotten."""
        now = self._clock()
        weight = math.exp2(min((now - self._started) / HALF_LIFE_SECONDS, 1000.0))
        if now - self._swept < HALF_LIFE_SECONDS:
            return weight
        self._swept = now
        kept = {name: value for name, value in self._weighted.items() if value >= _LEAST_BYTES * weight}
        if weight > _LARGEST_WEIGHT:
            kept = {name: value / weight for name, value in kept.items()}
            self._started, weight = now, 1.0
        self._weighted, self._total = kept, sum(kept.values())
        return weight
