"""How far an import came, beside its file, so that it goes on there after whatever ended it.

Sent again a row is a duplicate, or has the same key in the store: the note saves time, and is not what keeps rows from
being there twice.
"""

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from tidemark.importing.source import Asked

SAMPLED = 20  # ids that are asked for when an import goes on
LISTED = 1_000  # bad rows that are told one by one
_VERSION = 2  # of what a row's number is


@dataclass(frozen=True)
class Progress:
    """After the first `rows` rows of the file; `ids` are of some of them."""

    rows: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    bad: tuple[dict[str, Any], ...] = ()
    ids: tuple[str, ...] = ()

    def after(self, said: dict[str, Any], first: int) -> "Progress":
        """With what a call was answered whose first row was `first`."""
        bad = [{**row, "row": row["row"] + first} for row in said["rejected"]]
        return replace(
            self,
            accepted=self.accepted + said["accepted"],
            duplicate=self.duplicate + said["duplicate"],
            rejected=self.rejected + len({row["row"] for row in bad}),
            bad=(*self.bad, *bad)[:LISTED],
        )

    def at(self, rows: int, id: str) -> "Progress":
        return replace(self, rows=rows, ids=(*self.ids, id)[-SAMPLED:])


@dataclass
class Note:
    """Of one import: the same file, as it was, with the same options into the same store."""

    asked: Asked
    target: str
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.asked.file.with_name(f"{self.asked.file.name}.importing")

    def read(self) -> Progress:
        """The beginning where nothing is noted, or not of this import."""
        try:
            said = orjson.loads(self.path.read_bytes())
            known = said["progress"] if said["of"] == self._of() else {}
            return Progress(**{name: _tuple(value) for name, value in known.items()})
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return Progress()

    def write(self, progress: Progress) -> None:
        """Whole or not at all; where nothing can be written an import that is cut short begins again."""
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            new.write_bytes(orjson.dumps({"of": self._of(), "progress": asdict(progress)}))
            os.replace(new, self.path)
        except OSError:
            return

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def _of(self) -> dict[str, Any]:
        stat, asked = self.asked.file.stat(), self.asked
        options = {**asked.query, "time": asked.time}
        return {"version": _VERSION, "size": stat.st_size, "changed": stat.st_mtime_ns, "into": self.target, **options}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
