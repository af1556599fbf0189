"""What was sent and could not be read: listed, shown with its bytes, and replayed once what was wrong is mended."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from collectors.replaying.replay import Replay
from core.config import model_key
from core.errors import Rejected
from core.reasons import REASONS
from core.records import DeadLetter, Replayed
from core.times import from_micros, rfc3339
from storage.engine import Engine
from storage.lookup.dead_letters import Kept, LetterFilter, find, page
from tidemark.api.parameters import DeadLetters

_SAME = ("letter", "source", "reason", "detail", "field", "namespace", "model", "id", "rows", "path")


def routes(engine: Engine, replay: Replay | None) -> APIRouter:
    """`replay` is the collector's; a role without one shows letters and cannot bring them in."""
    router = APIRouter(tags=["dead letters"])

    @router.get("/api/dead-letters", summary="What could not be read or stored, the newest first")
    def many(asked: DeadLetters) -> dict[str, Any]:
        """Without their bytes."""
        found = page(engine, LetterFilter(**{**dict(asked), "model": model_key(asked.model) if asked.model else None}))
        return {"dead_letters": [listed(row) for row in found.rows], "next": found.next}

    @router.get("/api/dead-letters/{letter}", summary="One dead letter with its headers, its bytes and its replays")
    def one(letter: str) -> dict[str, Any]:
        """`body` is text when it is UTF-8, else base64, as `encoding` says. `hindrance`: why it cannot be replayed."""
        kept = _kept(engine, letter)
        return {**shown(kept), "hindrance": (replay.hindrance(kept.letter) or None) if replay else None}

    @router.get("/api/dead-letters/{letter}/body", summary="The bytes of a dead letter as they came")
    def body(letter: str) -> Response:
        """As a file, whatever they are."""
        headers = {"content-disposition": f'attachment; filename="{letter}.bin"', "x-content-type-options": "nosniff"}
        return Response(_kept(engine, letter).letter.body, headers=headers, media_type="application/octet-stream")

    if replay:
        _replaying(router, engine, replay)
    return router


def _replaying(router: APIRouter, engine: Engine, replay: Replay) -> None:
    @router.post("/api/dead-letters/{letter}/replay", summary="Bring in what a dead letter holds")
    async def again(letter: str, request: Request) -> dict[str, Any]:
        """As if it were sent now, but with the time it was received: 200 when it is stored, at once or from the log.

        Else the answer is the one that its sender would get, and the letter stays open; 409 says why it cannot be
        replayed at all. A letter that is settled is left as it is.
        """
        kept = await asyncio.to_thread(_kept, engine, letter)
        done = kept.settled or await replay(kept.letter, request.client.host if request.client else "")
        return _attempt(done)


def shown(kept: Kept) -> dict[str, Any]:
    """A letter with everything known about it, its body as text or base64."""
    letter = kept.letter
    text = _text(letter.body)
    return {
        **_said(letter),
        "settled": kept.settled is not None,
        "headers": dict(letter.headers),
        "encoding": "base64" if text is None else "text",
        "body": b64encode(letter.body).decode() if text is None else text,
        "replays": [_attempt(replayed) for replayed in kept.replays],
    }


def listed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `storage.lookup.dead_letters.page`."""
    same = {name: row[name] for name in (*_SAME, "body_bytes", "kept_bytes")}
    return {**same, "received": rfc3339(row["received"]), "settled": bool(row["settled"])}


def _said(letter: DeadLetter) -> dict[str, Any]:
    reason = REASONS.get(letter.reason)
    return {
        **{name: getattr(letter, name) for name in _SAME},
        "received": rfc3339(from_micros(letter.received)),
        "meaning": reason.meaning if reason else "",
        "remedy": reason.remedy if reason else "",
        "body_bytes": letter.body_bytes,
        "kept_bytes": len(letter.body),
        "cut": letter.body_bytes > len(letter.body),
    }


def _attempt(replayed: Replayed) -> dict[str, Any]:
    return {**replayed._asdict(), "time": rfc3339(from_micros(replayed.time))}


def _kept(engine: Engine, letter: str) -> Kept:
    kept = find(engine, letter)
    if kept is None:
        raise Rejected(404, "not_found", f"there is no dead letter {letter[:100]!r}", "letter")
    return kept


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
