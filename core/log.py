"""Logs as one JSON object a line on stderr, or as plain lines for a person at a terminal."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

import orjson

_STANDARD = set(vars(logging.makeLogRecord({})))


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extra = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extra,
        }
        if record.exc_info or record.exc_text:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # lone surrogates and integers beyond 64 bits: what hostile payloads bring into a log
            return json.dumps({key: value if isinstance(value, str) else repr(value) for key, value in line.items()})


class WithoutValues(logging.Filter):
    """Of an exception its type and where it was raised: what it says may quote a value that must not be written."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and (error := record.exc_info[1]):
            record.exc_text = "".join([*traceback.format_tb(error.__traceback__), f"{type(error).__name__}: withheld"])
            record.exc_info = None
        if record.name == "asyncio":  # shows tasks with what they raised, behind the first line
            record.msg, record.args = record.getMessage().partition("\n")[0], None
        return True


def withhold_values() -> None:
    """From now on no exception is logged with what it says."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(WithoutValues())


def _of_concern(record: logging.LogRecord) -> bool:
    """The store's driver warns of each retry with a whole statement in the URL; who made the call says what came of it.

    Levels of its loggers would not do: it gives urllib3 one of its own as it is imported.
    """
    return record.name.partition(".")[0] not in ("urllib3", "clickhouse_connect") or record.levelno >= logging.ERROR


def configure(level: str = "info") -> None:
    """Send everything at `level` and above to stderr; people get plain lines, machines JSON."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s  %(message)s", "%H:%M:%S")
    handler.setFormatter(plain if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    handler.addFilter(_of_concern)
