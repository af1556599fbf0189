"""A file of predictions, read in parts of bounded size, each the body of one call."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from core.errors import ConfigError

ROWS_PER_PART = 50_000
CELLS_PER_PART = 4_000_000  # 32 MB of numbers: half of what a call may carry (limits.body_bytes)
DIGITS = 20  # of the file's hash in the ids of its rows


@dataclass(frozen=True)
class Asked:
    """What to import, at most `part_rows` rows at once.

    `model`, `namespace`, `version` and `time` are for rows that do not say their own.
    """

    file: Path
    model: str = ""
    namespace: str = ""
    version: str = ""
    time: str = ""
    part_rows: int = ROWS_PER_PART

    @property
    def query(self) -> Mapping[str, str]:
        said = {"model": self.model, "namespace": self.namespace, "version": self.version}
        return {name: value for name, value in said.items() if value}

    @cached_property
    def digest(self) -> str:
        """Of the file's content: what the ids of rows without one are made from, the same each time."""
        digest = blake2b(digest_size=DIGITS // 2)
        with self.file.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def row_id(self, number: int) -> str:
        return f"{self.digest}:{number}"


class Body(NamedTuple):
    """One call; `id` is that of one of its rows.

    `cells` is '5/4' for a line of CSV with 5 cells under a header of 4, which whoever takes it cannot count.
    """

    content: bytes
    content_type: str
    id: str
    cells: str = ""


class Part(Protocol):
    """Rows one after the other; `first` is the number of the first in its file, from 1."""

    @property
    def first(self) -> int: ...

    @property
    def rows(self) -> int: ...

    def body(self) -> Body:
        """As one call carries it."""

    def halves(self) -> list["Part"]:
        """Two smaller ones, for a call that is too large; of one row none."""


class Source(Protocol):
    @property
    def total(self) -> int | None:
        """Rows in the file, None where only reading it tells."""

    def share(self, rows: int) -> float:
        """How much of the file the first `rows` rows are, from 0 to 1."""

    def parts(self, after: int) -> Iterator[Part]:
        """The rows after the first `after`. ConfigError when the file turns out to be unreadable."""


def no_model(asked: Asked) -> ConfigError:
    return ConfigError(f"{asked.file} does not say which model its rows are of: --model M does, for all of them")


def no_time(asked: Asked) -> ConfigError:
    return ConfigError(
        f"{asked.file} has no column 'time', and rows stamped with today would be traffic of today; "
        "--time 2026-11-22T13:00:00Z gives all of them one"
    )


def unreadable(asked: Asked, error: Any) -> ConfigError:
    return ConfigError(f"{asked.file} cannot be read: {' '.join(str(error).split())[:300]}")
