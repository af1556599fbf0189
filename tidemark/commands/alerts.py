"""`tidemark alerts render DIR`: Prometheus rules and an Alertmanager configuration from the monitors."""

from argparse import Namespace

from alerts import render
from core.config import load


def run(arguments: Namespace) -> int:
    for path in render(load(arguments.config), arguments.directory):
        print(path)
    return 0
