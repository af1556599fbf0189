"""`tidemark dashboards render DIR` and `push --grafana URL`."""

from argparse import Namespace

from core.errors import ConfigError


def run(arguments: Namespace) -> int:
    try:
        from dashboards.publish import push, render
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'tidemark[dashboards]'") from None
    written = render(arguments.directory) if arguments.action == "render" else push(arguments.grafana)
    for place in written:
        print(place)
    return 0
