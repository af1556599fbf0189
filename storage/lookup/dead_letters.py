"""Dead letters out of the store: listed, one with its bytes, and what came of replaying them."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from core.records import TIME, DeadLetter, ModelKey, Replayed
from core.times import to_micros
from storage.engine import Engine
from storage.engines.columns import utf8
from storage.lookup.cursor import pack, unpack

_SAME = ("source", "reason", "detail", "field", "namespace", "model", "id", "rows", "path", "letter")
_TEXTS = ("letter", "who", "outcome", "reason", "detail")
_SETTLED = "letter IN (SELECT letter FROM dead_letter_replays WHERE outcome = 'stored')"
_KEY = {"received": datetime, "letter": str}  # what the list is ordered by
_AFTER = "(received, letter) < {cursor:Tuple(DateTime64(6, 'UTC'), String)}"


@dataclass(frozen=True)
class LetterFilter:
    """What to list; None or '' = anything. `cursor` is the `next` of the page before."""

    reason: str = ""
    model: ModelKey | None = None
    since: datetime | None = None
    settled: bool | None = None
    limit: int = 100
    cursor: str = ""


class Page(NamedTuple):
    """Letters without their bytes, the newest first, and where the list goes on."""

    rows: list[dict[str, Any]]
    next: str | None


class Kept(NamedTuple):
    """A letter and every attempt to replay it, the oldest first."""

    letter: DeadLetter
    replays: tuple[Replayed, ...]

    @property
    def settled(self) -> Replayed | None:
        """The attempt that brought it in."""
        return next((replay for replay in self.replays if replay.outcome == "stored"), None)


def page(engine: Engine, wanted: LetterFilter) -> Page:
    """Rejected for a cursor that is none."""
    conditions: dict[str, tuple[str, Any]] = {
        "reason": ("reason = {reason:String}", wanted.reason),
        "namespace": ("namespace = {namespace:String}", wanted.model and wanted.model.namespace),
        "model": ("model = {model:String}", wanted.model and wanted.model.model),
        "since": ("received >= {since:DateTime64(6, 'UTC')}", wanted.since),
        "cursor": (_AFTER, wanted.cursor and unpack(wanted.cursor, [*_KEY.values()])),
    }
    used = {name: value for name, (_, value) in conditions.items() if value}
    settled = {None: [], True: [_SETTLED], False: [f"NOT {_SETTLED}"]}[wanted.settled]
    rows = engine.rows(
        f"SELECT {', '.join(_SAME)}, received, body_bytes, length(body) AS kept_bytes, {_SETTLED} AS settled"
        f" FROM dead_letters WHERE {' AND '.join([*(conditions[name][0] for name in used), *settled]) or 'true'}"
        f" ORDER BY received DESC, letter DESC LIMIT 1 BY letter LIMIT {wanted.limit + 1:d}",
        used,
    )
    last = rows[wanted.limit - 1] if len(rows) > wanted.limit else None
    return Page(rows[: wanted.limit], pack([last[name] for name in _KEY]) if last else None)


def find(engine: Engine, letter: str) -> Kept | None:
    rows = engine.rows(
        # Bodies are any bytes, and text columns of a result must be UTF-8.
        "SELECT * REPLACE (base64Encode(body) AS body) FROM dead_letters WHERE letter = {letter:String} LIMIT 1",
        {"letter": letter},
    )
    return Kept(_letter(rows[0]), _replays(engine, letter)) if rows else None


def keep_replay(engine: Engine, replayed: Replayed) -> None:
    """Written once however often it is tried; the letter itself is never changed."""
    columns: dict[str, Any] = {name: [utf8(getattr(replayed, name))] for name in _TEXTS}
    columns["time"] = pa.array([replayed.time], pa.int64()).cast(TIME)
    columns["rows"] = pa.array([replayed.rows], pa.uint64())
    engine.insert("dead_letter_replays", pa.table(columns), token=f"{replayed.letter}-{replayed.time}")


def _replays(engine: Engine, letter: str) -> tuple[Replayed, ...]:
    rows: Sequence[dict[str, Any]] = engine.rows(
        f"SELECT {', '.join(Replayed._fields)} FROM dead_letter_replays FINAL"
        " WHERE letter = {letter:String} ORDER BY time",
        {"letter": letter},
    )
    return tuple(Replayed(**{**row, "time": to_micros(row["time"])}) for row in rows)


def _letter(row: dict[str, Any]) -> DeadLetter:
    return DeadLetter(
        **{name: row[name] for name in _SAME},
        received=to_micros(row["received"]),
        body=b64decode(row["body"]),
        headers=tuple(row["headers"].items()),
        body_bytes=row["body_bytes"],
    )
