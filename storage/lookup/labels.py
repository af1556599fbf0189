"""Labels out of the store: every revision for the reader of a prediction, the newest for those who compute with them.

A label without a model is of whatever model of its namespace has the id.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from core.protocols import Known
from core.records import ModelKey
from storage.delivery.halves import IDS_PER_QUERY
from storage.engine import Engine

_OF_MODEL = "namespace = {namespace:String} AND model IN ({model:String}, '')"


class Newest(NamedTuple):
    """`sql` stands after FROM and has the columns id, name, value, num, source and time; one row by id and name."""

    sql: str
    params: Mapping[str, Any]


def newest_labels(model: ModelKey) -> Newest:
    """Of every prediction of `model`, the revision of each label that counts.

    `num` is Null for a label that is text. Labels may come before their predictions: join by id.
    """
    columns = ("value", "num", "source", "time")
    picked = ", ".join(f"tupleElement(revision, {n}) AS {name}" for n, name in enumerate(columns, 1))
    sql = (
        f"(SELECT id, name, {picked} FROM ("
        # In a tuple: argMax alone passes over revisions without a number.
        f" SELECT id, name, argMax(({', '.join(columns)}), (time, received)) AS revision"
        f" FROM labels FINAL WHERE {_OF_MODEL} GROUP BY id, name))"
    )
    return Newest(sql, {"namespace": model.namespace, "model": model.model})


def revisions(engine: Engine, model: ModelKey, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Every revision of the labels of those predictions, the newest first."""
    return engine.rows(
        "SELECT id, name, value, num, source, time, received FROM labels FINAL"
        f" WHERE {_OF_MODEL} AND id IN {{ids:Array(String)}} ORDER BY id, time DESC, received DESC, name",
        {"namespace": model.namespace, "model": model.model, "ids": list(ids)},
    )


class StoredIds:
    """`core.protocols.Ids` over an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(self, namespace: str, ids: Collection[str]) -> dict[str, Known]:
        found: dict[str, Known] = {}
        listed = sorted(ids)
        for start in range(0, len(listed), IDS_PER_QUERY // 2):
            found |= self._some(namespace, listed[start : start + IDS_PER_QUERY // 2])
        return found

    def _some(self, namespace: str, ids: Sequence[str]) -> dict[str, Known]:
        rows = self._engine.rows(
            "SELECT id, groupUniqArray(toString(model)) AS models FROM predictions"
            " WHERE namespace = {namespace:String} AND id IN {ids:Array(String)} GROUP BY id",
            {"namespace": namespace, "ids": [*ids, *(f"{id}-0" for id in ids)]},
        )
        models = {row["id"]: frozenset(row["models"]) for row in rows}
        return {id: Known(models.get(id, frozenset()), models.get(f"{id}-0", frozenset())) for id in ids}
