"""Labels beside the ids that are stored: which model each is of, and which name a request where a row is wanted."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from core.errors import Rejected, StoreError
from core.protocols import Ids, Known

MOST = 1_000  # labels of one call that are looked up: some 40 ms among 10 M predictions; larger calls are taken as said
PATIENCE_SECONDS = 2.0
AWAY_SECONDS = 10.0  # how long nobody asks a store that did not answer in time

Found = Mapping[tuple[str, str], Known]  # by namespace and id

log = logging.getLogger("tidemark.tap")


class Lookup:
    """Asks the store, and never waits for one that is away: then labels are taken as if they came early."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._threads = ThreadPoolExecutor(2, "labels")
        self._ask_again = 0.0

    async def found(self, labels: pa.RecordBatch) -> Found:
        """What is stored under the ids of a batch of the schema LABELS."""
        if not 0 < len(labels) <= MOST or time.monotonic() < self._ask_again:
            return {}
        try:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, labels)
            return await asyncio.wait_for(asked, PATIENCE_SECONDS)
        except (StoreError, TimeoutError) as error:
            log.warning("labels are taken without a look at the ids that are stored: %s", error or "no answer in time")
            self._ask_again = time.monotonic() + AWAY_SECONDS
            return {}

    def _look_up(self, labels: pa.RecordBatch) -> Found:
        by_namespace = defaultdict(set)
        for namespace, id in zip(labels.column("namespace").to_pylist(), labels.column("id").to_pylist(), strict=True):
            by_namespace[namespace].add(id)
        return {
            (namespace, id): known
            for namespace, ids in by_namespace.items()
            for id, known in self._ids.known(namespace, ids).items()
        }


def with_models(labels: pa.RecordBatch, found: Found) -> tuple[pa.RecordBatch, Mapping[int, Rejected]]:
    """`labels` with the model of each whose id is found in one, and why some of them cannot be meant."""
    wrong: dict[int, Rejected] = {}
    models: list[str] = []
    columns = [labels.column(name).to_pylist() for name in ("namespace", "model", "id")]
    for row, (namespace, model, id) in enumerate(zip(*columns, strict=True)):
        try:
            models.append(_model(model, found.get((namespace, id), _NOTHING)))
        except Rejected as error:
            models.append(model)
            wrong[row] = error
    at = labels.schema.get_field_index("model")
    return labels.set_column(at, labels.schema.field(at), pa.array(models, pa.string())), wrong


def without(labels: pa.RecordBatch, rows: Sequence[int] | Mapping[int, Any]) -> pa.RecordBatch:
    keep = np.ones(len(labels), np.bool_)
    keep[list(rows)] = False
    return labels.filter(pa.array(keep))


_NOTHING = Known(frozenset(), frozenset())


def _model(said: str, known: Known) -> str:
    """The model that is meant; '' while nothing is stored under the id."""
    predictions, requests = (models & {said} if said else models for models in known)
    if len(predictions) > 1:
        names = ", ".join(sorted(predictions)[:5])
        raise Rejected(422, "ambiguous_id", f"predictions of {names} have this id: say which model", "model")
    if not predictions and requests:
        raise Rejected(
            422, "several_rows", "a request of several rows: label each by its own id, <request id>-<row>", "id"
        )
    return said or next(iter(predictions), "")
