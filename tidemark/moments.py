"""Times as people give them to commands."""

from datetime import UTC, datetime

from core.errors import ConfigError
from core.times import duration, from_micros, micros


def moment(text: str, option: str, now: datetime | None = None) -> datetime:
    """RFC 3339, or how long ago: 90s, 5m, 1h, 7d. ConfigError names the option."""
    try:
        if text[:4].isdigit() and "-" in text:
            return from_micros(micros(text))
        return (now or datetime.now(UTC)) - duration(text)
    except (ValueError, OverflowError):
        raise ConfigError(f"{option} {text}: neither a time such as 2026-11-22T13:00:00Z nor 1h or 7d") from None
