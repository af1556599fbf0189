"""One Prometheus alerting rule as a value."""

from dataclasses import dataclass
from datetime import timedelta

from alerts.promql import span
from core.config import Severity


@dataclass(frozen=True)
class Rule:
    """`expr` fires for each series it returns, once it has done so for `hold`.

    `summary` is one line; `description` is what to know before opening the runbook. Both are Go templates.
    `monitor` becomes a label, so that the same alert of two monitors is two rules.
    """

    alert: str
    expr: str
    severity: Severity
    summary: str
    description: str
    hold: timedelta = timedelta(0)
    monitor: str = ""

    def as_yaml(self, runbook: str) -> dict[str, object]:
        """The rule as Prometheus reads it; its runbook entry is the heading with the alert's name."""
        return {
            "alert": self.alert,
            "expr": self.expr,
            **({"for": span(self.hold)} if self.hold else {}),
            "labels": {"severity": self.severity} | ({"monitor": self.monitor} if self.monitor else {}),
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbook}#{self.alert.lower()}",
            },
        }
