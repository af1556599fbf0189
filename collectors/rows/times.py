"""Event times as senders write them: read, and put right when they cannot be meant."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import Rejected
from core.times import from_micros, micros, rfc3339

HOUR = 3_600_000_000
YEAR_2000 = 946_684_800_000_000
FARTHEST = 2**62  # microseconds; what lies beyond is cut off there, and is not believed anyway
_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def read_time(value: Any, received: int) -> int:
    """RFC 3339 text or seconds since 1970 to microseconds, nothing to `received`; Rejected names the field."""
    if value is None:
        return received
    try:
        if isinstance(value, str):
            return micros(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value * 1_000_000)
    except (ValueError, OverflowError):
        pass
    if value == "":
        raise Rejected(400, "bad_time", "no time is given: say one such as 2026-11-22T13:48:48Z", "time")
    raise Rejected(400, "bad_time", f"{_shown(value)} is not an RFC 3339 time such as 2026-11-22T13:48:48Z", "time")


def _shown(value: Any) -> str:
    return repr(value[:40]) if isinstance(value, str) else repr(value)[:40]


def settled_time(time: int, received: int) -> tuple[int, tuple[tuple[str, str], ...]]:
    """`time`, or `received` with the original in a tag when it cannot be meant."""
    if YEAR_2000 <= time <= received + HOUR:
        return time, ()
    return received, (("original_time", time_text(time)),)


def believable(time: NDArray[np.int64], received: int) -> NDArray[np.bool_]:
    """Which event times can be meant: not before 2000, not more than an hour ahead."""
    ok: NDArray[np.bool_] = (time >= YEAR_2000) & (time <= received + HOUR)
    return ok


def time_text(time: int) -> str:
    """RFC 3339; for a time outside the calendar its microseconds."""
    try:
        return rfc3339(from_micros(time))
    except OverflowError:
        return str(time)


def column_times(column: pa.Array, received: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`read_time` for a whole Arrow column: microseconds, and which rows hold no time at all. Rejected for its type."""
    kind, missing = column.type, column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text_times(column.to_pylist(), received)
    if pa.types.is_floating(kind):
        seconds = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        missing = np.isnan(seconds)
        times = _scaled(np.where(missing, 0.0, seconds), 1_000_000)
    elif pa.types.is_integer(kind):
        times = _scaled(column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64), 1_000_000)
    else:
        times = _moments(column)
    return np.where(missing, received, times), np.zeros(len(column), np.bool_)


def _text_times(texts: list[str | None], received: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    times, bad = np.full(len(texts), received), np.zeros(len(texts), np.bool_)
    for row, text in enumerate(texts):
        try:
            times[row] = read_time(text, received)
        except Rejected:
            bad[row] = True
    return times, bad


def _moments(column: pa.Array) -> NDArray[np.int64]:
    kind = column.type
    if pa.types.is_date(kind):
        column, kind = column.cast(pa.timestamp("ms")), pa.timestamp("ms")
    if not pa.types.is_timestamp(kind):
        raise Rejected(400, "bad_value", f"a time is a timestamp, RFC 3339 text or seconds, not {kind}", "time")
    ticks: NDArray[np.int64] = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return ticks // 1_000 if kind.unit == "ns" else _scaled(ticks, _UNITS[kind.unit])


def _scaled(values: NDArray[np.float64] | NDArray[np.int64], factor: int) -> NDArray[np.int64]:
    farthest = FARTHEST // factor
    return (np.clip(values, -farthest, farthest) * factor).astype(np.int64)
