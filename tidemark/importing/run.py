"""An import: the parts of a file to a target in their order, each until it is taken, the next made ready meanwhile."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from core.errors import TidemarkError
from tidemark.importing.progress import Note, Progress
from tidemark.importing.source import Asked, Body, Part, Source
from tidemark.importing.target import Answer, Call, NoAnswer, Target

PATIENCE_SECONDS = 300.0  # for a collector that restarts, or whose log is full
RETRY_SECONDS = 1.0

Told = Callable[[Progress], None]


class Import:
    """`told` hears of every step."""

    def __init__(self, asked: Asked, source: Source, target: Target, told: Told) -> None:
        self._asked, self._source, self._target, self._told = asked, source, target, told
        self._note = Note(asked, target.name)
        self.begun = Progress()

    def run(self) -> Progress:
        """Until the end of the file. TidemarkError when that cannot be reached: the next run goes on from there."""
        self.begun = progress = self._resumed()
        for part, body in _ahead(self._source.parts(progress.rows)):
            progress = self._taken(part, body, progress)
            progress = progress.at(part.first + part.rows - 1, body.id)
            self._note.write(progress)
            self._told(progress)
        self._note.remove()
        return progress

    def _resumed(self) -> Progress:
        """The beginning, unless what is noted is there: a store may have been emptied since."""
        noted = self._note.read()
        known = (self._target.has(id) for id in reversed(noted.ids) if id)
        return noted if noted.rows and any(there is not False for there in known) else Progress()

    def _taken(self, part: Part, body: Body, progress: Progress) -> Progress:
        answer = self._sent(part, body)
        if answer.status == 202:
            return progress.after(answer.said, part.first)
        if answer.said.get("reason") in ("too_large", "too_many_bad_rows") and (halves := part.halves()):
            for half in halves:
                progress = self._taken(half, half.body(), progress)
            return progress
        field = f"{answer.said['field']}: " if "field" in answer.said else ""
        rows = f"rows {part.first} to {part.first + part.rows - 1}"
        raise TidemarkError(f"{self._asked.file}: {rows}: {field}{answer.said.get('detail', answer.status)}")

    def _sent(self, part: Part, body: Body) -> Answer:
        file = Path(self._asked.file).name
        call = Call(urlencode(self._asked.query), body.content, body.content_type, part.first, file, body.cells)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._target.send(call)
                if answer.status not in (408, 429, 500, 502, 503, 504):
                    return answer
                why = str(answer.said.get("detail", answer.status))
            except NoAnswer as error:
                why = str(error)
            if time.monotonic() > until:
                raise TidemarkError(f"{why}; the same command goes on with row {part.first}")
            time.sleep(RETRY_SECONDS)


class _Ready(NamedTuple):
    part: Part
    body: Body


def _ahead(parts: Iterator[Part]) -> Iterator[_Ready]:
    """Each part with its body; the next is made while one is sent."""

    def make() -> _Ready | None:
        part = next(parts, None)
        return _Ready(part, part.body()) if part else None

    with ThreadPoolExecutor(1, "read") as thread:
        coming = thread.submit(make)
        while ready := coming.result():
            coming = thread.submit(make)
            yield ready
