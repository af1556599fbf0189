"""Grafana dashboards written in code; `dashboards/<name>.json` is what they render to, kept fresh by a test."""

from collections.abc import Callable

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.model_monitoring import model_monitoring

DASHBOARDS: dict[str, Callable[[], Dashboard]] = {"model_monitoring": model_monitoring}
