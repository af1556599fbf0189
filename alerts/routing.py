"""Where alerts go: one webhook, told at the pace each severity deserves."""

import yaml

from core.config import Config

# A receiver of your own; Alertmanager posts its JSON there (version 4 of its webhook format).
WEBHOOK = "http://127.0.0.1:9095/"

# How long Alertmanager collects alerts before the first message, and how often it repeats an unchanged one.
PACE = {
    "page": {"group_wait": "10s", "repeat_interval": "1h"},
    "ticket": {"group_wait": "1m", "repeat_interval": "12h"},
    "info": {"group_wait": "5m", "repeat_interval": "3d"},
}


def alertmanager(config: Config, webhook: str = WEBHOOK) -> str:
    """An Alertmanager configuration as YAML: a message for each model and severity, posted to `webhook`.

    Severities that no rule of `config` has get no route.
    """
    used = {"page", "ticket"} | {monitor.alert.severity for monitor in config.monitors}
    return yaml.safe_dump(
        {
            "route": {
                "receiver": "webhook",
                "group_by": ["namespace", "model", "severity"],
                "group_interval": "1m",
                "routes": [{"matchers": [f'severity="{s}"'], **pace} for s, pace in PACE.items() if s in used],
            },
            "inhibit_rules": [_DOWN_EXPLAINS_SILENCE],
            "receivers": [{"name": "webhook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
        },
        sort_keys=False,
    )


_DOWN_EXPLAINS_SILENCE = {
    "source_matchers": ['alertname="TidemarkDown"'],
    "target_matchers": ['alertname=~"TidemarkMonitorSilent|TidemarkMonitorMissing|TidemarkIngestStopped"'],
}
