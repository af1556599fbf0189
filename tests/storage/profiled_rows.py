"""Predictions for tests of profiles, and what these make of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from core.findings import Window
from core.records import PREDICTIONS, ModelKey
from storage.engine import Engine
from storage.profiles.profiler import Profiler
from storage.profiles.reader import ProfileReader
from storage.windows import distributions as windows
from storage.windows.distributions import Part
from storage.windows.relations import Relation, of_window

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LATER = NOON + 3 * DAY
MODEL = ModelKey("default", "m")


def store(engine: Engine, every: timedelta = timedelta(seconds=1), start: datetime = NOON, **columns: Any) -> pa.Table:
    """Rows `every` so long from `start`; what is not given is as plain as it can be, and a list is one value a row."""
    (rows,) = {len(column) for column in columns.values() if isinstance(column, list)}
    times = [start + every * n for n in range(rows)]
    plain = {"namespace": "default", "model": "m", "status": 200, "weight": 1.0, "time": times, "received": times}
    ids = [f"{start:%d%H%M%S}-{columns.get('version', '')}-{n:06}" for n in range(rows)]
    plain |= {"id": ids, "content": list(range(rows))}
    filled = {n: c if isinstance(c, list) else [c] * rows for n, c in {**plain, **columns}.items()}
    table = pa.table(filled, schema=pa.schema([PREDICTIONS.field(name) for name in filled]))
    engine.insert("predictions", table)
    return table


def numbers(**fields: list[float]) -> dict[str, list[list[tuple[str, float]]]]:
    """The column `inputs_num`."""
    return {"inputs_num": [list(zip(fields, row, strict=True)) for row in zip(*fields.values(), strict=True)]}


def merged(
    engine: Engine, relation: Relation | Window, segment: str = "", profiler: Profiler | None = None
) -> list[Part]:
    """A window read from profiles that are up to date."""
    relation = of_window(MODEL, relation) if isinstance(relation, Window) else relation
    assert relation.stretch
    profiler = profiler or Profiler(engine, {MODEL: ["country"]})
    assert profiler.ready(relation.stretch.model, relation.stretch.window, LATER)
    reader = ProfileReader(engine, dict)
    return reader.parts(relation, reader.totals(relation, segment), segment, None)


def counted(engine: Engine, relation: Relation | Window, segment: str = "") -> list[Part]:
    relation = of_window(MODEL, relation) if isinstance(relation, Window) else relation
    return windows.read(engine, relation, windows.totals(engine, relation, segment), segment)


def told(parts: list[Part]) -> list[Any]:
    """All that distributions hold but for how they came about, so that two readings can be compared."""
    return [
        (p.version, p.segment, p.rows, f, d.values.tolist(), d.counts.tolist(), d.missing, d.effective_rows,
         None if d.squares is None else d.squares.tolist())
        for p in parts
        for f, d in sorted(p.fields.items())
    ]  # fmt: skip


def states(engine: Engine, table: str = "profiles_minute") -> list[dict[str, Any]]:
    """The states that count, without what tells when they were made."""
    newest = f"SELECT namespace, model, start, max(revision) FROM {table} WHERE role = '' GROUP BY ALL"
    rows = engine.rows(
        f"SELECT * EXCEPT (revision, made, content) REPLACE (toString(start) AS start) FROM {table} FINAL"
        f" WHERE (namespace, model, start, revision) IN ({newest})"
        " ORDER BY namespace, model, start, version, segment, role, kind, field, weight"
    )
    return [{name: repr(value) if value != value else value for name, value in row.items()} for row in rows]
