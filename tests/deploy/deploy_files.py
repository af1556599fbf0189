"""The files in deploy/, read once."""

from pathlib import Path
from typing import Any

import yaml

import alerts

ROOT = Path(alerts.__file__).parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = {name: service for name, service in SERVICES.items() if service["image"].startswith("tidemark:")}
TEXT = "\n".join(path.read_text("utf-8") for path in sorted(DEPLOY.rglob("*")) if path.is_file())


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))
