"""The monitor that a model without one gets by itself."""

import hashlib
import re
from collections.abc import Iterable

from core.config import Config, MonitorConfig, model_key
from core.records import ModelKey

ROWS = 1000


def automatic(config: Config, models: Iterable[ModelKey]) -> list[MonitorConfig]:
    """One for each of `models` that no monitor names, when the configuration allows it."""
    watched = {model_key(monitor.model) for monitor in config.watched}
    return [_monitor(model) for model in models if model not in watched] if config.auto else []


def _monitor(model: ModelKey) -> MonitorConfig:
    return MonitorConfig.model_validate(
        {
            "name": _name(model),
            "model": f"{model.namespace}/{model.model}",
            "reference": {"first_rows": ROWS},
            "window": {"rows": ROWS},
            "steps": [{"name": "ks", "use": "ks"}, {"name": "chi_squared", "use": "chi_squared"}],
        }
    )


def _name(model: ModelKey) -> str:
    """`auto/income` or `auto/team-a/income`. Senders choose names: what a monitor's cannot hold is replaced."""
    name = model.model if model.namespace == "default" else f"{model.namespace}/{model.model}"
    plain = re.sub(r"[^A-Za-z0-9._/-]", "-", name)
    mark = "" if plain == name else f"-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"
    return f"auto/{plain}{mark}"
