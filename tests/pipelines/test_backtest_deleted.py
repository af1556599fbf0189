"""A backtest over a stretch that was monitored live, for each kind of reference and window."""

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from replayed import Live, alarms_of_live, backtested, newest, of_live, replay
from stored_rows import NOON, SECOND, store

from core.config import Config, parse
from core.findings import Window
from pipelines.backtested import Backtested
from storage.engine import Engine
from storage.retention import apply_retention

HALF_DAY = timedelta(hours=12)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def same_as_live(engine: Engine, config: Config, live: Live, stretch: Window) -> dict[str, Backtested]:
    """What the backtest says once it has been found to be what `live` found."""
    live.close()
    found, findings = replay(engine, config, stretch, stretch.end)
    assert findings == of_live(engine)
    for name, one in found.items():
        assert [alarm.time for alarm in one.alarms] == alarms_of_live(engine, name), name
        ran = engine.rows(f"SELECT uniqExact(window_end) AS n FROM runs WHERE monitor = '{name}'")
        assert one.windows == ran[0]["n"], name
    return found


MONITORS = """
auto: false
monitors:
  - {name: timed, model: m, reference: {window: 10m}, window: {every: 10m}, steps: [{name: d, use: ks}]}
  - {name: fixed, model: m, reference: {first_rows: 100}, window: {every: 10m}, steps: [{name: d, use: ks}]}
  - {name: counted, model: m, reference: {window: 15m}, window: {rows: 70}, steps: [{name: d, use: ks}]}
  - name: budget
    model: m
    reference: {window: 80m}
    window: {rows: 40}
    false_alarms: 1/20 windows
    steps: [{name: d, use: ks}]
  - name: parts
    model: m
    reference: {window: 20m}
    window: {every: 10m}
    segments: [tags.c]
    steps: [{name: d, use: ks}, {name: s, use: cusum, options: {h: 8}}]
"""


def ten_minutes(engine: Engine, at: datetime) -> None:
    """100 rows of two versions in segments; 'b' is shifted from NOON + 30m to NOON + 40m."""
    for n, (version, c) in enumerate((("1", "x"), ("2", "y"))):
        shift = 3 * (version == "2" and at == NOON + 30 * MINUTE)
        values = np.random.default_rng(at.minute + 60 * n).normal(shift, 1, 50).tolist()
        store(engine, {"a": values, "b": values[::-1]}, at, 12 * SECOND, version=version, tags=[("c", c)])


def monitored(engine: Engine, *names: str) -> tuple[Config, Live]:
    """An hour of it, with 80 minutes before."""
    every = parse(MONITORS)
    config = every.model_copy(update={"monitors": tuple(m for m in every.monitors if m.name in names)})
    for n in range(-8, 0):
        ten_minutes(engine, NOON + n * 10 * MINUTE)
    live = Live(engine, config, NOON)
    for n in range(6):
        ten_minutes(engine, NOON + n * 10 * MINUTE)
        live.tick(NOON + (n + 1) * 10 * MINUTE + 30 * SECOND)
    return config, live


STRETCH = Window(NOON, NOON + 61 * MINUTE)


def test_versions_and_segments(engine: Engine) -> None:
    config, live = monitored(engine, "parts")
    (found,) = same_as_live(engine, config, live, STRETCH).values()
    assert len(found.alarms) == live.alarms("parts") >= 1 and found.alarms[0].finding.version == "2"
    assert {row["segment"] for row in newest(engine, "segment")} == {"", "c=x", "c=y"}


def deleted(engine: Engine, until: datetime) -> None:
    engine.command(f"DELETE FROM predictions WHERE time < fromUnixTimestamp64Micro({int(until.timestamp() * 1e6)})")


def test_where_rows_were_deleted_profiles_say_the_same_and_a_note_says_so(engine: Engine) -> None:
    config, live = monitored(engine, "timed", "fixed")
    deleted(engine, NOON + 35 * MINUTE)
    found = same_as_live(engine, config, live, STRETCH)
    assert found["timed"].undecided == 0
    gone = "rows of before 2026-11-01T12:35:00.000000Z have been deleted"
    assert found["timed"].notes == (f"{gone}: what reaches further back has only what profiles keep",)


def test_where_rows_are_gone_without_a_trace_windows_are_undecided_not_without_alarm(engine: Engine) -> None:
    config, live = monitored(engine, "timed", "counted")
    live.close()
    deleted(engine, NOON + 33 * MINUTE)
    engine.command("TRUNCATE TABLE profiles_minute")
    engine.command("TRUNCATE TABLE profiles_hour")
    found, findings = replay(engine, config, STRETCH, STRETCH.end)
    timed, counted = found["timed"], found["counted"]
    assert (timed.windows, timed.undecided) == (6, 4)
    *undecided, fewer, gone = timed.notes
    assert undecided == [
        "3 of the windows could not be decided: no rows in the window",
        "1 of the windows could not be decided: the reference has 0 rows; at least 2 are needed",
    ]
    assert fewer == "4 of the windows have fewer rows than when they ran live"
    assert gone.startswith("rows of before 2026-11-01T12:33:00.000000Z have been deleted")
    ran = engine.rows("SELECT window_end FROM runs FINAL WHERE monitor = 'counted' ORDER BY 1")
    assert counted.windows == len(ran) and counted.undecided >= 4
    last = "window_end = (SELECT max(window_end) FROM runs WHERE monitor = 'counted') AND monitor = 'counted'"
    assert {*of_live(engine, last)} <= {*findings}


def test_retention_of_the_store_is_named_where_the_stretch_reaches_beyond_it(engine: Engine) -> None:
    config = parse(MONITORS.split("  - {name: fixed")[0])
    ten_minutes(engine, NOON)
    apply_retention(engine, Config(retention={"predictions": 1000}))
    now = NOON + 30 * MINUTE
    near, far = (backtested(engine, config, Window(now - days * DAY, now), now)["timed"] for days in (10, 1010))
    assert "predictions are kept for 1000 days, and the first one stored is of 2026-11-01" in far.notes[-1]
    assert not any("predictions are kept" in note for note in near.notes)


def test_a_window_that_begins_where_rows_were_deleted_is_noted(engine: Engine) -> None:
    config, live = monitored(engine, "fixed")
    live.close()
    deleted(engine, NOON + 35 * MINUTE)
    for minute, told in ((36, True), (46, False)):  # the window before 40 begins at 30, the next counted one at 40
        notes = backtested(engine, config, Window(NOON + minute * MINUTE, STRETCH.end), STRETCH.end)["fixed"].notes
        assert any("have been deleted" in note for note in notes) == told


def test_an_alarm_of_row_windows_that_was_on_before_the_stretch_does_not_begin_anew(engine: Engine) -> None:
    config, live = monitored(engine, "counted")
    live.close()
    whole = alarms_of_live(engine, "counted")
    ends = sorted({row["window_end"] for row in newest(engine, "window_end", "fired")})
    on = next(end for end, after in pairwise(ends) if after not in whole)  # and in the next one, too
    found = backtested(engine, config, Window(on, STRETCH.end), STRETCH.end)["counted"]
    assert found.windows and [alarm.time for alarm in found.alarms] == [at for at in whole if at > on]
