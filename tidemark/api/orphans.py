"""Requests and responses whose other half has not come, shown as the predictions they would be."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from collectors.building.exchanges import Exchange, to_rows
from collectors.building.naming import Names
from collectors.taps.events import decoded_again
from core.records import Half
from tidemark.api.view import prediction


def orphans(halves: Sequence[Half], names: Names) -> list[dict[str, Any]]:
    """The rows of `halves`. Two that belong together, about to become predictions, are shown as those already."""
    rows = [
        (row, "orphan" if one.request is None or one.response is None else "stored")
        for one in _exchanges(halves)
        for group in to_rows([one], names)
        for row in group.batch.to_pylist(maps_as_pydicts="lossy")
    ]
    return [{**prediction(row, state), **({"status": 0} if state == "orphan" else {})} for row, state in rows]


def _exchanges(halves: Sequence[Half]) -> Iterator[Exchange]:
    by_key: dict[Any, list[Half]] = defaultdict(list)
    for half in halves:
        by_key[half.key].append(decoded_again(half))
    for same in by_key.values():
        requests = [half for half in same if half.kind == "request"]
        responses = [half for half in same if half.kind == "response"]
        if len(requests) == len(responses) == 1:
            yield Exchange(requests[0], responses[0])
        else:
            yield from (Exchange(half, None) for half in requests)
            yield from (Exchange(None, half) for half in responses)
