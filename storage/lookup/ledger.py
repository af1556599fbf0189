"""The ledgers of all collectors over one store."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from storage.engine import Engine

_NAMED = ("tap", "namespace", "model", "unit")
_COUNTS = pa.map_(pa.string(), pa.int64())


def store_ledger(engine: Engine, collector: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Replace what a collector's lines said before."""
    columns: dict[str, Any] = {name: [entry[name] for entry in entries] for name in _NAMED}
    counts = [[(k, n) for k, n in entry.items() if k not in (*_NAMED, "difference")] for entry in entries]
    columns["counts"] = pa.array(counts, _COUNTS)
    columns["difference"] = pa.array([entry["difference"] for entry in entries], pa.int64())
    columns["collector"] = [collector] * len(entries)
    engine.insert("ledger", pa.table(columns))


def read_ledger(engine: Engine) -> list[dict[str, Any]]:
    """The lines of every collector, as each counted them last."""
    rows = engine.rows("SELECT * FROM ledger FINAL ORDER BY tap, namespace, model, unit, collector")
    return [
        {name: row[name] for name in ("collector", *_NAMED)}
        | dict(row["counts"])
        | {name: row[name] for name in ("difference", "time")}
        for row in rows
    ]
