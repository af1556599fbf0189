"""Where the parts of a file go: a collector that runs, or one made for the occasion around a store of one's own."""

from typing import Any, NamedTuple, Protocol

from collectors.taps.letters import CELLS, FILE, FIRST_ROW
from core.errors import TidemarkError

PATH = "/api/predictions"


class Call(NamedTuple):
    """`first` is the number of its first row in the file `file`; `cells` is what `Body` has."""

    query: str
    content: bytes
    content_type: str
    first: int
    file: str
    cells: str = ""

    @property
    def headers(self) -> dict[str, str]:
        name = self.file.encode("latin-1", "replace").decode("latin-1")
        cells = {CELLS: self.cells} if self.cells else {}
        return {"content-type": self.content_type, FIRST_ROW: str(self.first), FILE: name, **cells}


class Answer(NamedTuple):
    status: int
    said: dict[str, Any]


class NoAnswer(TidemarkError):
    """Nobody knows whether the call was taken."""


class Target(Protocol):
    @property
    def name(self) -> str:
        """Where it is, and which it is: another store at the same place has another name."""

    def send(self, call: Call) -> Answer:
        """NoAnswer when the connection broke, or nobody is there."""

    def has(self, id: str) -> bool | None:
        """Whether a prediction of that id is stored; None when that is not ours to know."""

    def close(self) -> None:
        """What was taken is in the log, or with a store of one's own in the store."""
