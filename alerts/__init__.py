"""Prometheus rules generated from the monitors, the Alertmanager configuration they need, and a runbook entry each."""

from alerts.render import render
from alerts.routing import WEBHOOK, alertmanager
from alerts.rules import RUNBOOK, rules

__all__ = ["RUNBOOK", "WEBHOOK", "alertmanager", "render", "rules"]
