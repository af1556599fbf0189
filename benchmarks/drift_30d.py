"""Drift over 30 days of a monitor's step on merged profiles: 12 fields as rows grow, then 1000 fields.

The window ends in the middle of an hour, so that it is merged from days, hours and minutes. Of 1 M and 10 M rows the
profiles are made from predictions, as they always are, and the rows of the old edges are counted, whose minutes are no
longer kept; of 100 M, and of 1000 fields, the states are made by SQL, and all minutes are there.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from benchmarks.fill import FILL
from benchmarks.profiling import KEY, store
from benchmarks.rows import MODEL
from benchmarks.table import Row
from core.config import parse
from core.findings import Window
from core.protocols import Predict
from core.records import ModelKey
from pipelines.monitor import Tools, run_monitor
from pipelines.windows.basis import Basis
from pipelines.windows.reference import References
from pipelines.worker import Worker
from storage.engine import Engine
from storage.profiles.grains import DAY, HOUR, MINUTE, Grain
from storage.profiles.reference_states import VALUES

DAYS, ROUNDS, BATCH_ROWS = 30, 5, 1_000_000
PROFILED, BY_SQL = (1_000_000, 10_000_000), 100_000_000
NARROW, WIDE = 12, 1000
END = datetime.now(UTC).replace(minute=37, second=0, microsecond=0) - timedelta(days=1)
WINDOW = Window(END - timedelta(days=DAYS), END)
MONITOR = f"""
monitors:
  - name: bench
    model: {MODEL}
    reference: {{dataset: before}}
    window: {{every: 1m, over: {DAYS}d}}
    steps: [{{name: drift, use: ks}}]
"""


def run() -> list[Row]:
    rows = [_row(f"{NARROW} fields, {count // 10**6} M predictions", _profiled(count), 1.0) for count in PROFILED]
    rows.append(_row(f"{NARROW} fields, {BY_SQL // 10**6} M predictions", _by_sql(NARROW, BY_SQL), 1.0))
    return [*rows, _row(f"{WIDE} fields", _by_sql(WIDE, BY_SQL // 10), 3.0)]


def _profiled(count: int) -> float:
    with store() as engine:
        for first in range(0, count, BATCH_ROWS):
            some = {"days": DAYS + 1, "rows": count, "first": first, "count": min(BATCH_ROWS, count - first)}
            engine.command(FILL, some)
        basis = Basis(engine, parse(MONITOR), lambda: datetime.now(UTC))
        while not basis.profiler.ready(KEY, WINDOW, END + timedelta(hours=2)):
            pass
        return _seconds(engine, "")


def _by_sql(fields: int, count: int) -> float:
    """Days, the hours of the days at the edges, and the minutes of the hours at the edges, as if of so many rows."""
    first, edges = WINDOW.start, (WINDOW.start, END)
    with store() as engine:
        days = {DAY.floor(first) + n * DAY.length for n in range(DAYS + 3)}
        hours = {DAY.floor(edge) + n * HOUR.length for edge in edges for n in range(24)}
        minutes = {HOUR.floor(edge) + n * MINUTE.length for edge in edges for n in range(60)}
        whole = {day for day in days if all(not day <= edge < day + DAY.length for edge in edges)}
        split = {hour for hour in hours if all(not hour <= edge < hour + HOUR.length for edge in edges)}
        for grain, starts in ((DAY, whole), (HOUR, split), (MINUTE, minutes)):
            _states(engine, grain, sorted(starts), (fields, count))
        return _seconds(engine, "retention: {profiles_minute: 60}")


def _states(engine: Engine, grain: Grain, starts: list[datetime], size: tuple[int, int]) -> None:
    fields, count = size
    rows = count * grain.length // timedelta(days=DAYS)
    params = {"starts": [start.strftime("%Y-%m-%d %H:%M:%S") for start in starts], "rows": rows, "fields": fields}
    drawn = f"arraySort(arrayMap(k -> randNormal(0, 1, k + cityHash64(start, f)), range({grain.values})))"
    engine.command(
        f"INSERT INTO {grain.table}"
        " (namespace, model, start, revision, role, kind, field, weight, rows, values, error)"
        f" SELECT 'default', '{MODEL}', start, 1, 'input', 'num', concat('f', toString(f)), 1, {{rows:UInt64}},"
        f" {drawn}, {grain.error} FROM (SELECT arrayJoin({{starts:Array(DateTime('UTC'))}}) AS start,"
        " arrayJoin(range({fields:UInt64})) AS f)",
        params,
    )
    engine.command(
        f"INSERT INTO {grain.table} (namespace, model, start, revision, weight, rows, segments)"
        f" SELECT 'default', '{MODEL}', arrayJoin({{starts:Array(DateTime('UTC'))}}), 1, 1, {{rows:UInt64}}, ['']",
        params,
    )


def _seconds(engine: Engine, retention: str) -> float:
    """The step from the look at what is new to its findings, the best of some."""
    config = parse(MONITOR + retention)
    (monitor,) = config.monitors

    def clock() -> datetime:
        return END + timedelta(minutes=5)

    _reference(engine)
    basis = Basis(engine, config, clock)
    tools, references = Tools(engine, Worker(), _no_model, clock, basis=basis), References(engine, config, basis)

    def step() -> None:
        found = run_monitor(tools, monitor, WINDOW, references.find(monitor, WINDOW, clock())).findings
        if not found or {finding.basis for finding in found if finding.kind == "drift"} != {"profiles"}:
            raise RuntimeError(f"not merged from profiles: {found[:3]}")

    return min(_timed(step) for _ in range(ROUNDS))


def _reference(engine: Engine) -> None:
    """A reference of a million rows as its profile, of as many fields as the store has."""
    size = f"{VALUES} AS n, 1000000 AS rows"
    engine.command(
        "INSERT INTO reference_profiles (name, hash, kind, field, rows, effective_rows, values, counts, error)"
        f" SELECT 'before', 'sql', 'num', field, rows, rows,"
        " arraySort(arrayMap(k -> randNormal(0, 1, k + cityHash64(field)), range(n))),"
        " arrayResize([rows / n], n, rows / n), 0.5 / n"
        f" FROM (SELECT DISTINCT field, {size} FROM profiles_minute WHERE role = 'input')"
    )
    engine.command(
        "INSERT INTO reference_profiles (name, hash, field, rows, weight, weight_squares)"
        " SELECT 'before', 'sql', '', 1000000, 1000000, 1000000"
    )
    engine.command("INSERT INTO reference_versions (name, hash, rows, origin) SELECT 'before', 'sql', 1000000, 'SQL'")


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _no_model(model: ModelKey, version: str) -> Predict:
    raise RuntimeError(f"KS asks no model, {model.model} {version} least of all")


def _row(name: str, seconds: float, most: float) -> Row:
    return Row(
        f"KS over {DAYS} days, {name}, reference in memory",
        f"{seconds:.2f} s",
        "-",
        "-",
        f"< {most:g} s",
        seconds < most,
    )
