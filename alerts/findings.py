"""Rules on what monitors found: drifted fields, and too many outliers."""

from collections.abc import Iterable

from alerts.promql import any_of, quoted
from alerts.rule import Rule
from core.config import AlertConfig, MonitorConfig
from detectors import DETECTORS

_WHERE = "{{ $labels.namespace }}/{{ $labels.model }}{{ with $labels.segment }}, {{ . }}{{ end }}"


def finding_rules(monitor: MonitorConfig) -> list[Rule]:
    """At the monitor's severity, once its finding has held for as long as it says."""
    named = f"monitor={quoted(monitor.name)}"
    drift, outliers = _steps_that(monitor, "compare", "compare_rows", "update"), _steps_that(monitor, "score")
    return [
        *([_drift(f"{named},step=~{any_of(drift)}", monitor.alert, monitor.name)] if drift else []),
        *([_outliers(f"{named},step=~{any_of(outliers)}", monitor)] if outliers else []),
    ]


def undeclared_rule(declared: Iterable[str]) -> Rule:
    """Drift found by any monitor but the `declared`: those that models without one get by themselves."""
    return _drift(f"monitor!~{any_of(declared)}", AlertConfig())


def _steps_that(monitor: MonitorConfig, *verbs: str) -> list[str]:
    """Names of the monitor's steps whose detector has any of the methods `verbs`; see detectors/protocols.py."""
    return [s.name for s in monitor.steps if any(hasattr(DETECTORS.get(s.use), verb) for verb in verbs)]


def _drift(found: str, alert: AlertConfig, monitor: str = "") -> Rule:
    worst = f"topk(5, tidemark_score{{{found},monitor=%q,version=%q,segment=%q}} and tidemark_fired == 1)"
    return Rule(
        "TidemarkDrift",
        "count by (namespace, model, version, monitor, segment) "
        f"(max without (instance, job) (tidemark_fired{{{found}}}) == 1)",
        alert.severity,
        f"{{{{ $value }}}} field(s) of {_WHERE} drifted",
        "Monitor {{ $labels.monitor }} finds its newest window unlike its reference; highest scores:"
        f"{{{{ range printf `{worst}` $labels.monitor $labels.version $labels.segment | query }}}}"
        ' {{ .Labels.field }} {{ printf "%.3g" .Value }}{{ end }}.',
        alert.for_,
        monitor,
    )


def _outliers(found: str, monitor: MonitorConfig) -> Rule:
    return Rule(
        "TidemarkOutliers",
        "max by (namespace, model, version, monitor, step, segment) "
        f"(tidemark_score{{{found}}} and tidemark_fired{{{found}}} == 1)",
        monitor.alert.severity,
        f"{{{{ $value | humanizePercentage }}}} of the predictions of {_WHERE} are outliers",
        "Step {{ $labels.step }} of monitor {{ $labels.monitor }} finds more rows unlike its reference than it allows.",
        monitor.alert.for_,
        monitor.name,
    )
