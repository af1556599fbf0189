"""The alert configuration as files for Prometheus and Alertmanager to read."""

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from alerts.routing import WEBHOOK, alertmanager
from alerts.rules import RUNBOOK, rules
from core.config import Config


def render(config: Config, directory: Path, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Write `rules.yaml` and `alertmanager.yaml` into `directory`, made when it is not there; returns the files.

    TIDEMARK_ALERT_WEBHOOK is where alerts are posted (such an address often holds a secret), TIDEMARK_RUNBOOK_URL where
    readers find alerts/runbook.md.
    """
    directory.mkdir(parents=True, exist_ok=True)
    runbook = environment.get("TIDEMARK_RUNBOOK_URL", RUNBOOK)
    webhook = environment.get("TIDEMARK_ALERT_WEBHOOK", WEBHOOK)
    files = {
        directory / "rules.yaml": yaml.safe_dump(rules(config, runbook), sort_keys=False, width=120),
        directory / "alertmanager.yaml": alertmanager(config, webhook),
    }
    for path, text in files.items():
        path.write_text(text, "utf-8")
    return list(files)
