"""All the rules of one configuration."""

from alerts.delivery import DELIVERY
from alerts.findings import finding_rules, undeclared_rule
from alerts.rule import Rule
from alerts.silence import silence_rules
from core.config import Config

# Where `runbook_url` points when nobody says better: the file as it lies in the repository.
RUNBOOK = "alerts/runbook.md"


def rules(config: Config, runbook: str = RUNBOOK) -> dict[str, object]:
    """A Prometheus rules file as a value: one group for delivery, one for each monitor of `config`.

    `runbook` is the address of alerts/runbook.md where its readers find it; each rule adds the name of its entry.
    """
    groups = {"tidemark": list(DELIVERY)}
    if config.auto:
        groups["tidemark-undeclared"] = [undeclared_rule(monitor.name for monitor in config.monitors)]
    for monitor in config.monitors:
        groups[f"tidemark-monitor-{monitor.name}"] = [*finding_rules(monitor), *silence_rules(config, monitor)]
    return {"groups": [_group(name, group, runbook) for name, group in groups.items()]}


def _group(name: str, rules: list[Rule], runbook: str) -> dict[str, object]:
    return {"name": name, "rules": [rule.as_yaml(runbook) for rule in rules]}
