"""NDJSON: a prediction a line, as `POST /api/predictions` takes it or with the columns of the Arrow form as keys."""

from collections.abc import Iterator

import orjson

from core.config import Limits
from tidemark.importing.lines import Lines, nested
from tidemark.importing.source import Asked, Part, no_model, no_time

BYTES_PER_PART = Limits().body_bytes // 4


class NdjsonFile:
    """Blank lines are passed over and not counted."""

    total = None

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._bytes = max(1, asked.file.stat().st_size)
        self._read = {0: 0}  # rows, and where in the file they end
        self._check_first()

    def share(self, rows: int) -> float:
        return self._read.get(rows, 0) / self._bytes

    def parts(self, after: int) -> Iterator[Part]:
        lines, size, passed, at = list[bytes](), 0, 0, 0
        with self._asked.file.open("rb") as file:
            for line in file:
                at += len(line)
                if line.isspace():
                    continue
                passed += 1
                if passed <= after:
                    continue
                lines.append(line.rstrip(b"\r\n"))
                size += len(line)
                if len(lines) == self._asked.part_rows or size >= BYTES_PER_PART:
                    yield self._part(passed, lines, at)
                    lines, size = [], 0
        if lines:
            yield self._part(passed, lines, at)

    def _part(self, passed: int, lines: list[bytes], at: int) -> Part:
        self._read[passed] = at
        return Lines(self._asked, passed - len(lines) + 1, tuple(lines))

    def _check_first(self) -> None:
        """What the first line lacks no line is expected to have. ConfigError where no option stands for it."""
        with self._asked.file.open("rb") as file:
            first = next((line for line in file if not line.isspace()), b"{}")
        try:
            said = orjson.loads(first)
        except orjson.JSONDecodeError:
            return
        row = nested(said) if isinstance(said, dict) and said else None
        if row is not None and not row.get("model") and not self._asked.model:
            raise no_model(self._asked)
        if row is not None and row.get("time") is None and not self._asked.time:
            raise no_time(self._asked)
