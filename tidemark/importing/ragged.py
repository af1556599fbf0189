"""A line of CSV with too few or too many cells."""

from dataclasses import dataclass

import orjson

from tidemark.importing.lines import NDJSON
from tidemark.importing.source import Body, Part


@dataclass(frozen=True)
class Ragged:
    """A part of one row. As a JSON text it is refused, whatever is in it, and kept as a dead letter."""

    first: int
    text: str
    cells: int
    expected: int
    rows: int = 1

    def body(self) -> Body:
        return Body(orjson.dumps(self.text), NDJSON, "", f"{self.cells}/{self.expected}")

    def halves(self) -> list[Part]:
        return []
