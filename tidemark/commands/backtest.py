"""`tidemark backtest FILE`: which alarms a configuration would have given, before anyone is paged."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import orjson

from core.config import Config, load
from core.errors import ConfigError
from core.findings import Window
from core.times import rfc3339
from pipelines.backtest import Backtest
from pipelines.backtested import Alarm, Backtested
from pipelines.check import mistakes
from storage import exists, open_engine
from storage.engine import Engine
from storage.migrate import migrate
from tidemark.moments import moment

NOT_REPLAYED = 3


def run(arguments: Namespace) -> int:
    """Exit code 3 when some monitor has no window to go through; alarms are no failure."""
    config, now = load(arguments.file), datetime.now(UTC)
    stretch = Window(moment(arguments.since, "--since", now), moment(arguments.until or "0s", "--until", now))
    if stretch.end <= stretch.start:
        raise ConfigError(f"--until {arguments.until or 'now'} is not after --since {arguments.since}")
    if not config.monitors:
        raise ConfigError(f"{arguments.file} has no monitors")
    if not exists(arguments.store):
        raise ConfigError(f"there is no store {arguments.store}; `tidemark up` makes one")
    with closing(open_engine(arguments.store)) as engine:
        migrate(engine)
        found = _backtested(engine, config, stretch)
    print(orjson.dumps(_said(stretch, found)).decode() if arguments.json else "\n".join(_lines(stretch, found)))
    return 0 if all(one.windows for one in found) else NOT_REPLAYED


def _backtested(engine: Engine, config: Config, stretch: Window) -> list[Backtested]:
    if wrong := mistakes(config, engine):
        raise ConfigError("\n".join(wrong))
    shows = sys.stderr.isatty()
    with closing(Backtest(engine, config, datetime.now(UTC))) as backtest:
        found = []
        for monitor in config.watched:

            def told(window: Window, name: str = monitor.name) -> None:
                if shows:
                    print(f"\r{name}: to {window.end:%Y-%m-%d %H:%M} ", end="", file=sys.stderr, flush=True)

            found.append(backtest.run(monitor, stretch, told))
    if shows:
        print("\r\033[K", end="", file=sys.stderr)
    return found


def _said(stretch: Window, found: Sequence[Backtested]) -> dict[str, Any]:
    return {
        "since": rfc3339(stretch.start),
        "until": rfc3339(stretch.end),
        "monitors": [_monitor(one) for one in found],
    }


def _monitor(one: Backtested) -> dict[str, Any]:
    alarms = [_alarm(alarm) for alarm in one.alarms]
    return {
        "monitor": one.monitor.name,
        "model": one.monitor.model,
        "windows": one.windows,
        "failed": one.failed,
        "undecided": one.undecided,
        "alarms_per_month": one.alarms_per_month,
        "first": alarms[0]["time"] if alarms else None,
        "last": alarms[-1]["time"] if alarms else None,
        "worst_field": one.worst_field or None,
        "notes": list(one.notes),
        "alarms": alarms,
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    finding = alarm.finding
    where = {name: getattr(finding, name) for name in ("step", "version", "segment", "field")}
    score = {"score": finding.score.score, "threshold": finding.score.threshold}
    return {"time": rfc3339(alarm.time), **where, **score, "fired": alarm.fired}


def _lines(stretch: Window, found: Sequence[Backtested]) -> list[str]:
    titles = ["monitor", "windows", "alarms", "a month", "first", "last", "worst field"]
    rows = [titles, *(_row(one) for one in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(titles))]
    lines = [f"{rfc3339(stretch.start)[:16]}Z to {rfc3339(stretch.end)[:16]}Z", ""]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{one.monitor.name}: {note}" for one in found for note in one.notes]
    alarms = sorted(((alarm, one.monitor.name) for one in found for alarm in one.alarms), key=lambda x: x[0].time)
    return [*lines, *([""] if alarms else []), *(_alarm_line(alarm, name) for alarm, name in alarms)]


def _row(one: Backtested) -> list[str]:
    times = [rfc3339(one.alarms[at].time)[:16] + "Z" if one.alarms else "-" for at in (0, -1)]
    often = "-" if one.alarms_per_month is None else f"{one.alarms_per_month:.3g}"
    return [one.monitor.name, str(one.windows), str(len(one.alarms)), often, *times, one.worst_field or "-"]


def _alarm_line(alarm: Alarm, monitor: str) -> str:
    finding = alarm.finding
    where = " ".join(filter(None, (finding.step, finding.field or "rows", finding.segment, finding.version)))
    more = f" and {alarm.fired - 1} more" if alarm.fired > 1 else ""
    score, threshold = finding.score.score or 0.0, finding.score.threshold or 0.0
    return f"{rfc3339(alarm.time)[:19]}Z  {monitor}  {where}  {score:.4g} > {threshold:.4g}{more}"
