"""Times as the store keeps them: microseconds since 1970, UTC; and durations as people write them."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"([0-9]+)(s|m|h|d|w)")
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


@lru_cache(maxsize=4096)  # senders stamp whole seconds: the same text comes thousands of times
def micros(text: str) -> int:
    """RFC 3339 to microseconds since 1970 UTC; a time without a zone is UTC. ValueError for anything else.

    Digits beyond the microsecond are cut off, not rounded, so that a time never moves into the next window.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"'{text}' is not a time such as 2026-11-22T13:48:48.123Z")
    return to_micros(datetime.fromisoformat(text.upper()))


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC; a moment without a zone is UTC."""
    return (_aware(moment) - EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T13:48:48.123456Z`; a moment without a zone is UTC."""
    return _aware(moment).astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def duration(text: str) -> timedelta:
    """`90s`, `5m`, `1h`, `7d`, `8w`, or several such parts in a row: `1h30m`."""
    if not text or _DURATION.sub("", text):
        raise ValueError(f"'{text}' is not a duration such as 30s, 5m, 1h or 7d")
    try:
        return timedelta(seconds=sum(int(n) * _UNITS[u] for n, u in _DURATION.findall(text)))
    except OverflowError:
        raise ValueError(f"'{text}' is longer than the calendar") from None


def duration_text(length: timedelta) -> str:
    """What `duration` reads: `1h30m`; parts of a second are left out."""
    seconds, parts = int(length.total_seconds()), []
    for unit, size in sorted(_UNITS.items(), key=lambda item: -item[1]):
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
