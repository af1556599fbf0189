"""A log is one JSON object a line, whatever is logged."""

import json
import logging
import subprocess
import sys
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.log import JsonLines, WithoutValues


def record(message: object, *args: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("tidemark.test").makeRecord(
        "tidemark.test", logging.WARNING, "file.py", 1, message, args, None, extra=extra
    )


def read(logged: logging.LogRecord) -> dict[str, Any]:
    line = JsonLines().format(logged)
    assert "\n" not in line
    return dict(json.loads(line))


def test_a_line_says_when_how_grave_who_and_what() -> None:
    line = read(record("%d rows of %s", 3, "income"))
    assert line["message"] == "3 rows of income"
    assert (line["level"], line["logger"]) == ("warning", "tidemark.test")
    assert datetime.fromisoformat(line["time"]).tzinfo is not None
    assert set(line) == {"time", "level", "logger", "message"}


def test_extra_values_are_keys_of_their_own_even_those_json_has_no_word_for() -> None:
    line = read(record("stored", model="income", rows=3, ratio=float("nan"), where={1}))
    assert (line["model"], line["rows"], line["ratio"], line["where"]) == ("income", 3, None, "{1}")


ANY_TEXT = st.text(st.characters(exclude_categories=[]))  # with lone surrogates


@given(ANY_TEXT, ANY_TEXT | st.integers() | st.dictionaries(ANY_TEXT, st.integers() | st.none(), max_size=3))
def test_any_text_and_any_value_stay_on_one_line(text: str, value: object) -> None:
    assert "message" in read(record("%s", text, value=value))


def test_an_exception_is_in_the_line_with_its_traceback() -> None:
    try:
        raise ValueError("too\nlong")
    except ValueError:
        logged = record("failed")
        logged.exc_info = sys.exc_info()
    assert "ValueError: too\nlong" in read(logged)["exception"]


def test_configure_writes_lines_to_stderr_from_its_level_on() -> None:
    program = "import logging; from core.log import configure; configure('warning')\n" + "\n".join(
        f"logging.getLogger('a').{level}('{level}')" for level in ("info", "warning", "error")
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [json.loads(line)["message"] for line in run.stderr.splitlines()] == ["warning", "error"]
    assert run.stdout == ""


def test_without_values_an_exception_says_its_type_and_where_it_was_raised() -> None:
    logged = record("it failed")
    try:
        int("CANARY")
    except ValueError:
        logged.exc_info = sys.exc_info()
    assert WithoutValues().filter(logged)
    line = read(logged)
    assert "CANARY" not in line["exception"].replace('int("CANARY")', "")
    assert line["exception"].endswith("ValueError: withheld")
    assert "test_log.py" in line["exception"]
    assert "CANARY" not in logging.Formatter().format(logged).replace('int("CANARY")', "")


def test_without_values_asyncio_shows_no_task_with_what_it_raised() -> None:
    logged = record("Task exception was never retrieved\nfuture: <Task exception=ValueError('CANARY')>")
    logged.name = "asyncio"
    assert WithoutValues().filter(logged)
    assert read(logged)["message"] == "Task exception was never retrieved"


def test_a_store_that_is_away_is_not_told_of_by_its_driver_too() -> None:
    program = """
from core.log import configure
from storage import open_engine

configure()
try:
    open_engine("clickhouse://127.0.0.1:9/tidemark").rows("SELECT 1")
except Exception as error:
    print(type(error).__name__)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("StoreUnavailable\n", "")
