"""The one place where ClickHouse's error codes become Tidemark's exceptions."""

import re

from core.errors import StoreError, StoreUnavailable

# The engine or the way to it was at its limit: the same call may work later. With every other code something is wrong
# with the statement, the rows or the store's set-up, and the exception is a plain StoreError.
RETRYABLE = {
    3: "UNEXPECTED_END_OF_FILE",
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    74: "CANNOT_READ_FROM_FILE_DESCRIPTOR",
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",  # a full disk
    95: "CANNOT_READ_FROM_SOCKET",
    96: "CANNOT_WRITE_TO_SOCKET",
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    172: "CANNOT_CREATE_DIRECTORY",
    173: "CANNOT_ALLOCATE_MEMORY",
    198: "DNS_ERROR",
    201: "QUOTA_EXCEEDED",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    204: "CANNOT_FSYNC",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    254: "NO_ACTIVE_REPLICAS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    319: "UNKNOWN_STATUS_OF_INSERT",
    364: "RECEIVED_ERROR_TOO_MANY_REQUESTS",
    394: "QUERY_WAS_CANCELLED",
    416: "REPLICA_STATUS_CHANGED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    473: "DEADLOCK_AVOIDED",
    499: "S3_ERROR",
    586: "CANNOT_CREATE_FILE",
    722: "ASYNC_LOAD_WAIT_FAILED",
    733: "TABLE_IS_BEING_RESTARTED",
    745: "SERVER_OVERLOADED",
    762: "HTTP_CONNECTION_LIMIT_REACHED",
    999: "KEEPER_EXCEPTION",
}

# The engine looked at a value and did not like it: the only codes after which rows may be given up as dead letters. Not
# among them: whatever is as true of any other row, such as an unknown table or column, a password, a bug of the engine.
BAD_ROWS = {
    6: "CANNOT_PARSE_TEXT",
    26: "CANNOT_PARSE_QUOTED_STRING",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    128: "TOO_LARGE_ARRAY_SIZE",
    131: "TOO_LARGE_STRING_SIZE",
    153: "ILLEGAL_DIVISION",  # in a constraint or a default, over a value
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    376: "CANNOT_PARSE_UUID",
    395: "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO",
    407: "DECIMAL_OVERFLOW",
    467: "CANNOT_PARSE_BOOL",
    469: "VIOLATED_CONSTRAINT",
    675: "CANNOT_PARSE_IPV4",
    676: "CANNOT_PARSE_IPV6",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}

# Under the codes of "merges cannot keep up" and of a lost connection: rows over too many partitions, which pass in
# smaller inserts, and a text too short for its column. The same insert never passes.
_NEVER = re.compile("Too many partitions for (a )?single INSERT block|Cannot parse")
# The rows are in their table by then: it is a view of the operator's that raised.
_VIEW = "while pushing to view"
_CODE = re.compile(r"Code: (\d+)")
_NOISE = re.compile(r"^Streaming insert \w+ failed: |DB::Exception: |Code: \d+\. ?| \(version [^)]*\)(?=\s*$)")


def store_error(text: str, code: int | None = None) -> StoreError:
    """The exception for an error text of ClickHouse; its own words, without wrapping, in one line."""
    found = code if code is not None else code_of(text)
    line = " ".join(_NOISE.sub("", text).split())[:1000] or "the store answered with an error and no text"
    retryable = found in RETRYABLE and not _NEVER.search(text)
    return (StoreUnavailable if retryable else StoreError)(line, found)


def blames_rows(error: StoreError) -> bool:
    """Of an insert that failed: whether its rows are at fault, and smaller inserts of them would pass or tell which."""
    text = str(error)
    return (error.code in BAD_ROWS or (error.code in RETRYABLE and bool(_NEVER.search(text)))) and _VIEW not in text


def code_of(text: str) -> int:
    """The number in `Code: 60. DB::Exception…`, 0 when there is none."""
    match = _CODE.search(text)
    return int(match[1]) if match else 0
