"""`tidemark import FILE`: predictions out of a file, as if they were sent."""

import sys
import time
from argparse import Namespace
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from core.config import load
from core.errors import ConfigError
from core.times import micros
from storage.serving.owner import holder
from tidemark.collector_client import CollectorClient
from tidemark.importing import opened
from tidemark.importing.inside import Inside
from tidemark.importing.progress import Progress
from tidemark.importing.run import Import
from tidemark.importing.running import Running
from tidemark.importing.source import Asked, Source
from tidemark.importing.target import Target

SHOWN_ROWS = 5  # of each kind of bad row


def run(arguments: Namespace) -> int:
    """Exit code 0 at the end of the file, bad rows or not: they are dead letters."""
    namespace, _, model = arguments.model.rpartition("/")
    asked = Asked(arguments.file, model, arguments.namespace or namespace, arguments.version, _time(arguments.time))
    source = opened(asked)
    screen = Screen(source, sys.stderr.isatty() and not arguments.json)
    with closing(_target(arguments)) as target:
        work = Import(asked, source, target, screen.show)
        try:
            done = work.run()
        except KeyboardInterrupt:
            print("\ninterrupted: the same command goes on from here", file=sys.stderr)
            raise
        finally:
            screen.end()
    said = screen.summary(asked, work.begun, done)
    print(orjson.dumps(said).decode() if arguments.json else _text(said))
    return 0


class Screen:
    """What is shown meanwhile, and said at the end."""

    def __init__(self, source: Source, shows: bool) -> None:
        self._source, self._shows = source, shows
        self._started, self._begun = time.monotonic(), 0

    def show(self, progress: Progress) -> None:
        if self._shows:
            rate = self._rate(progress.accepted + progress.duplicate + progress.rejected)
            share = self._source.share(progress.rows)
            print(f"\r{share:4.0%}  {progress.rows:,} rows  {rate:,.0f} rows/s ", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shows:
            print(file=sys.stderr)

    def summary(self, asked: Asked, begun: Progress, done: Progress) -> dict[str, Any]:
        rows = done.rows - begun.rows
        return {
            "file": str(asked.file),
            "rows": done.accepted + done.duplicate + done.rejected,
            "resumed_after": begun.rows,
            "accepted": done.accepted,
            "duplicate": done.duplicate,
            "rejected_rows": done.rejected,
            "rejected": list(done.bad),
            "seconds": round(time.monotonic() - self._started, 3),
            "rows_per_second": round(self._rate(rows)),
        }

    def _rate(self, rows: int) -> float:
        return rows / max(1e-9, time.monotonic() - self._started)


def _target(arguments: Namespace) -> Target:
    """The collector at --url; else the one that has the store open; else the store itself, when nobody has it open."""
    scheme, _, folder = arguments.store.partition("://")
    if not arguments.url and scheme == "chdb" and holder(Path(folder).absolute()) is None:
        return Inside(arguments.store, load(arguments.config))
    return Running(CollectorClient(arguments.store, arguments.url))


def _time(text: str) -> str:
    try:
        return text if not text or micros(text) else ""
    except ValueError:
        raise ConfigError(f"--time {text}: not an RFC 3339 time such as 2026-11-22T13:00:00Z") from None


def _text(said: dict[str, Any]) -> str:
    if not said["rows"]:
        return f"{said['file']} has no rows: nothing to import"
    of = f" (of them {said['resumed_after']:,} before)" if said["resumed_after"] else ""
    lines = [
        f"{said['file']}: {said['rows']:,} rows{of} in {said['seconds']:.1f} s, {said['rows_per_second']:,} rows/s: "
        f"{said['accepted']:,} accepted, {said['duplicate']:,} duplicate, {said['rejected_rows']:,} rejected"
    ]
    kinds = defaultdict(list)
    for bad in said["rejected"]:
        kinds[bad["field"], bad["reason"]].append(bad["row"])
    for (field, reason), rows in kinds.items():
        more = f", … {len(rows) - SHOWN_ROWS} more" if len(rows) > SHOWN_ROWS else ""
        shown = ", ".join(map(str, rows[:SHOWN_ROWS]))
        lines.append(f"  {field + ': ' if field else ''}{reason}: row {shown}{more}")
    if kinds:
        lines.append("  they are dead letters: tidemark dead-letters list")
    return "\n".join(lines)
