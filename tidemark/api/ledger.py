"""What became of everything that was received."""

from typing import Any

from fastapi import APIRouter

from collectors.accounting.books import Books
from core.errors import StoreUnavailable
from core.times import rfc3339
from storage.engine import Engine
from storage.lookup.ledger import read_ledger


def routes(engine: Engine, books: Books | None) -> APIRouter:
    """`books` are those of this process when it collects; other collectors store theirs once a minute."""
    router = APIRouter(tags=["ledger"])

    @router.get("/api/ledger", summary="What became of everything that was received")
    def ledger() -> dict[str, Any]:
        """Events: received = accepted + rejected + shed + error + in_progress.

        Rows: accepted = stored + duplicate + conflict + sampled + dead_lettered + orphans + in_flight. `difference` is
        what is missing; anything but 0 is a fault. Each line is of its `time`: at most a second old, of another
        collector a minute, and not there while the store is away.
        """
        own = books.collector if books else ""
        entries = [line for line in _stored(engine, bool(books)) if line["collector"] != own]
        if books:
            entries += [{"collector": own, **entry.shown(), "time": books.at} for entry in books.entries]
        shown = [{**line, "time": rfc3339(line["time"])} for line in entries]
        return {"entries": shown, "difference": sum(abs(line["difference"]) for line in shown)}

    return router


def _stored(engine: Engine, beside_own: bool) -> list[dict[str, Any]]:
    """A collector's own lines can be had while the store is away, and are what one looks at then."""
    try:
        return read_ledger(engine)
    except StoreUnavailable:
        if beside_own:
            return []
        raise
