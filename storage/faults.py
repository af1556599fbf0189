"""The one place where ClickHouse's error codes become Tidemark's exceptions."""

import re

from core.errors import StoreError, StoreUnavailable

# The engine, its disk or the way to it was at its limit: the same call may work later. Every other code says that the
# statement or the rows are wrong, and stays a plain StoreError.
RETRYABLE = {
    3: "UNEXPECTED_END_OF_FILE",
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    74: "CANNOT_READ_FROM_FILE_DESCRIPTOR",
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",
    76: "CANNOT_OPEN_FILE",
    77: "CANNOT_CLOSE_FILE",
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    172: "CANNOT_CREATE_DIRECTORY",
    173: "CANNOT_ALLOCATE_MEMORY",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    204: "CANNOT_FSYNC",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    294: "CANNOT_WRITE_TO_FILE",
    319: "UNKNOWN_STATUS_OF_INSERT",
    394: "QUERY_WAS_CANCELLED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    586: "CANNOT_CREATE_FILE",
    641: "CANNOT_APPEND_TO_FILE",
    999: "KEEPER_EXCEPTION",
}

# The same code as "merges cannot keep up", but of rows that spread over too many days: those never pass.
_TOO_SPREAD = "Too many partitions for single INSERT block"
_DISK_FULL = "No space left on device"  # also under STD_EXCEPTION
_CODE = re.compile(r"Code: (\d+)")
_NOISE = re.compile(r"^Streaming insert \w+ failed: |DB::Exception: |Code: \d+\. ?| \(version [^)]*\)(?=\s*$)")


def store_error(text: str, code: int | None = None) -> StoreError:
    """The exception for an error text of ClickHouse; its own words, without wrapping, in one line."""
    found = code if code is not None else code_of(text)
    line = " ".join(_NOISE.sub("", text).split())[:1000] or "the store answered with an error and no text"
    retryable = (found in RETRYABLE and _TOO_SPREAD not in text) or _DISK_FULL in text
    return (StoreUnavailable if retryable else StoreError)(line, found)


def code_of(text: str) -> int:
    """The number in `Code: 60. DB::Exception…`, 0 when there is none."""
    match = _CODE.search(text)
    return int(match[1]) if match else 0
