"""Rows as lines of JSON, the way `POST /api/predictions` takes them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collectors.formats import exact
from collectors.formats.body import loads
from core.config import Limits
from core.errors import Rejected
from tidemark.importing.source import Asked, Body, Part

NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class Lines:
    """A part. A line that is no JSON is sent as it is, and refused by itself."""

    asked: Asked
    first: int
    lines: Sequence[bytes]

    @property
    def rows(self) -> int:
        return len(self.lines)

    def body(self) -> Body:
        rows = [self._row(number, line) for number, line in enumerate(self.lines, self.first)]
        id = next((str(row["id"]) for row in rows if isinstance(row, dict)), "")
        lines = [
            _dumped(row, line) if isinstance(row, dict) else row for row, line in zip(rows, self.lines, strict=True)
        ]
        return Body(b"\n".join(lines), NDJSON, id)

    def halves(self) -> list[Part]:
        middle = self.rows // 2
        if not middle:
            return []
        return [
            Lines(self.asked, self.first, self.lines[:middle]),
            Lines(self.asked, self.first + middle, self.lines[middle:]),
        ]

    def _row(self, number: int, line: bytes) -> dict[str, Any] | bytes:
        try:
            said = loads(line, Limits())
        except Rejected:
            said = None
        if not isinstance(said, dict):
            return line
        row = nested(said)
        if row.get("id") in (None, ""):
            row["id"] = self.asked.row_id(number)
        if row.get("time") is None:  # refused rather than stamped with the moment it is read: '' is no time
            row["time"] = self.asked.time
        return row


def _dumped(row: dict[str, Any], line: bytes) -> bytes:
    """As its line has it: the collector reads infinities, too, of which orjson would make null."""
    return json.dumps(row).encode() if b"Infinity" in line else exact.dumps(row)


def nested(said: dict[str, Any]) -> dict[str, Any]:
    """`{"inputs.age": 3}` as `{"inputs": {"age": 3}}`; what is nested already stays so."""
    if not any("." in name for name in said):
        return said
    row: dict[str, Any] = {}
    for name, value in said.items():
        head, dot, field = name.partition(".")
        if dot and isinstance(row.setdefault(head, {}), dict):
            row[head][field] = value
        else:
            row[name] = value
    return row
