"""What a benchmark says, and all of them as one Markdown table."""

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """`ours` and `peer` are figures with their units; `peer` is a rival, or the limit the machine sets."""

    name: str
    ours: str
    peer: str
    ratio: str
    target: str
    met: bool


def markdown(rows: Sequence[Row]) -> str:
    lines = ["| what | Tidemark | beside it | ratio | wanted | met |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join([*row[:-1], 'yes' if row.met else '**no**'])} |" for row in rows)])
