"""Rules on monitors that have stopped looking: no drift is found by a monitor that does not run."""

from datetime import timedelta

from alerts.promql import grown, selector, span
from alerts.rule import Rule
from core.config import Config, MonitorConfig, RowWindows, TimeWindows, model_key
from core.records import ModelKey

# Three missed windows; one or two are a restart.
MISSED_WINDOWS = 3
LEAST_SILENCE = timedelta(minutes=5)
# Row windows have no clock: silent is when the rows of three windows came within an hour, or a day, without a run.
ROW_SPANS = ("1h", "1d")


def silence_rules(config: Config, monitor: MonitorConfig) -> list[Rule]:
    """At the monitor's severity: its silence hides what it would have said."""
    if isinstance(monitor.window, RowWindows):
        return [_stalled(monitor, monitor.window, _model(config, monitor))]
    limit = monitor.window.settle + max(MISSED_WINDOWS * monitor.window.every, LEAST_SILENCE)
    return [_overdue(monitor, monitor.window, limit), _missing(monitor, limit)]


def _model(config: Config, monitor: MonitorConfig) -> ModelKey:
    declared = config.models.get(monitor.model)
    return model_key(monitor.model, declared.namespace if declared else None)


def _overdue(monitor: MonitorConfig, window: TimeWindows, limit: timedelta) -> Rule:
    last_run = selector("tidemark_last_run_timestamp_seconds", monitor=monitor.name)
    return Rule(
        "TidemarkMonitorSilent",
        f"time() - max by (namespace, model, monitor) ({last_run}) > {limit.total_seconds():.0f}",
        monitor.alert.severity,
        "Monitor {{ $labels.monitor }} has gone through no window of the last {{ $value | humanizeDuration }}",
        f"It should go through one every {span(window.every)}; nothing is looked for meanwhile.",
        monitor=monitor.name,
    )


def _missing(monitor: MonitorConfig, limit: timedelta) -> Rule:
    return Rule(
        "TidemarkMonitorMissing",
        f"absent({selector('tidemark_last_run_timestamp_seconds', monitor=monitor.name)})",
        monitor.alert.severity,
        f"No pipeline runs monitor {monitor.name}",
        "Nothing that Prometheus scrapes reports it: no pipeline is up, or it reads another configuration.",
        limit,
        monitor.name,
    )


def _stalled(monitor: MonitorConfig, window: RowWindows, model: ModelKey) -> Rule:
    stored = selector("tidemark_predictions_stored_total", namespace=model.namespace, model=model.model)
    runs = selector("tidemark_runs_total", monitor=monitor.name)
    without_run = (
        f"(sum by (namespace, model) ({grown(stored, over)}) > {MISSED_WINDOWS * window.rows}"
        f" unless on (namespace, model) sum by (namespace, model) ({grown(runs, over)}) > 0)"
        for over in ROW_SPANS
    )
    return Rule(
        "TidemarkMonitorSilent",
        " or ".join(without_run),
        monitor.alert.severity,
        f"Monitor {monitor.name} has let {{{{ $value | humanize }}}} predictions pass without a run",
        f"It should run on every {window.rows} predictions; nothing is looked for meanwhile.",
        monitor=monitor.name,
    )
